import { z } from 'zod';
import { Label, metadata, Subdomain } from '#core/docker/kind-words.ts';
import { Quantity } from '#core/resources/quantity.ts';

/** What becomes of a claim's volume once no release has the claim any more; kept, unless it says `Delete`. */
export const RECLAIM_ANNOTATION = 'windlass.dev/reclaim-policy';
const POLICIES = ['Retain', 'Delete'] as const;

const AccessMode = z.enum(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany'], {
  error: ({ input }) =>
    input === 'ReadWriteOncePod'
      ? 'Docker gives a volume to as many pods as ask for it: say ReadWriteOnce'
      : 'must be ReadWriteOnce, ReadOnlyMany or ReadWriteMany',
});

const ClaimSpec = z.strictObject({
  // One server has every volume: whichever is asked for is given.
  accessModes: z.array(AccessMode).nonempty(),
  resources: z.strictObject({
    requests: z.strictObject({
      storage: Quantity.refine((bytes) => bytes > 0, 'must be more than 0'),
    }),
  }),
  volumeMode: z
    .literal('Filesystem', 'must be Filesystem: Docker has no volumes that are devices')
    .default('Filesystem'),
  /** Empty: none, also where there is a default one. */
  storageClassName: z.union([z.literal(''), Subdomain]).optional(),
});

export const PersistentVolumeClaim = z
  .strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('PersistentVolumeClaim'),
    metadata: metadata(Label),
    spec: ClaimSpec,
  })
  .refine(
    ({ metadata: { annotations = {} } }) => {
      const policy = annotations[RECLAIM_ANNOTATION];
      return policy === undefined || POLICIES.some((each) => each === policy);
    },
    {
      path: ['metadata', 'annotations', RECLAIM_ANNOTATION],
      message: `must be ${POLICIES.join(' or ')}`,
    },
  );
export type PersistentVolumeClaim = z.infer<typeof PersistentVolumeClaim>;

/** What claims of a StatefulSet's pods are made from. */
export const ClaimTemplate = z.strictObject({
  apiVersion: z.literal('v1').optional(),
  kind: z.literal('PersistentVolumeClaim').optional(),
  metadata: metadata(Label)
    .omit({ namespace: true })
    .refine(({ annotations = {} }) => !Object.hasOwn(annotations, RECLAIM_ANNOTATION), {
      path: ['annotations', RECLAIM_ANNOTATION],
      message: 'is said in persistentVolumeClaimRetentionPolicy of the StatefulSet',
    }),
  spec: ClaimSpec,
});
export type ClaimTemplate = z.infer<typeof ClaimTemplate>;

/** Of a pod's volume. */
export const ClaimSource = z.strictObject({
  claimName: Label,
  readOnly: z.boolean().default(false),
});
