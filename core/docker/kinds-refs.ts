import { z } from 'zod';
import { Label } from '#core/docker/kind-words.ts';
import { Quantity } from '#core/resources/quantity.ts';

/** What a variable can take from its own pod. */

const FIELD = /^metadata\.(name|namespace|(labels|annotations)\['[^']+'\])$/;
const ALL = /^metadata\.(labels|annotations)$/;
const RESOURCES = ['limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'] as const;

export const FieldRef = z.strictObject({
  apiVersion: z.literal('v1').optional(),
  fieldPath: z
    .string()
    .regex(
      FIELD,
      "must be metadata.name, metadata.namespace, metadata.labels['key'] or metadata.annotations['key']",
    ),
});
export type FieldRef = z.infer<typeof FieldRef>;

/** A file can also hold all labels or all annotations. */
export const PodFieldPath = z
  .string()
  .refine(
    (path) => FIELD.test(path) || ALL.test(path),
    'must be a field of metadata: name, namespace, labels or annotations',
  );

export const ResourceFieldRef = z.strictObject({
  containerName: Label.optional(),
  resource: z.enum(RESOURCES),
  divisor: Quantity.refine((divisor) => divisor > 0, 'must be more than 0').optional(),
});
export type ResourceFieldRef = z.infer<typeof ResourceFieldRef>;
