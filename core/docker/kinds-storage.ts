import { z } from 'zod';
import { Strings, Subdomain } from '#core/docker/kind-words.ts';

/** Claims that name no class are of the one with it. */
export const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';

/** As Docker names plugins, with a registry and a tag where they have one. */
const DRIVER = /^[a-zA-Z0-9][\w.-]*(:\d+)?(\/[\w.-]+)*(:[\w.-]+)?$/;

/** A volume driver of Docker. */
export const StorageClass = z.strictObject({
  apiVersion: z.literal('storage.k8s.io/v1'),
  kind: z.literal('StorageClass'),
  metadata: z.strictObject({
    name: Subdomain,
    labels: Strings.optional(),
    annotations: Strings.optional(),
  }),
  provisioner: z
    .string()
    .regex(DRIVER, 'must be a volume driver of Docker, e.g. local or vieux/sshfs:latest'),
  parameters: Strings.optional(),
  // Left out it is Delete in Kubernetes; data is not deleted because nobody said a word.
  reclaimPolicy: z
    .enum(['Retain', 'Delete'], 'must be Retain or Delete')
    .optional()
    .refine(
      (policy) => policy !== undefined,
      'must be said: Retain keeps the volumes of claims that are deleted, Delete deletes them',
    )
    .transform((policy) => policy ?? 'Retain'),
  // One server has every volume: both mean the same.
  volumeBindingMode: z.enum(['Immediate', 'WaitForFirstConsumer']).default('Immediate'),
});
export type StorageClass = z.infer<typeof StorageClass>;
