import { z } from 'zod';
import { DataKey, Label, Subdomain } from '#core/docker/kind-words.ts';
import { FieldRef, PodFieldPath, ResourceFieldRef } from '#core/docker/kinds-refs.ts';

/** What files of a volume can be made from. */

export const Mode = z.int().min(0).max(0o777, 'must be at most 0777');
const FilePath = z
  .string()
  .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/, 'must be relative and not leave the volume');
export const Item = z.strictObject({ key: DataKey, path: FilePath, mode: Mode.optional() });
export type Item = z.infer<typeof Item>;

const DownwardItem = z
  .strictObject({
    path: FilePath,
    mode: Mode.optional(),
    fieldRef: FieldRef.extend({ fieldPath: PodFieldPath }).optional(),
    resourceFieldRef: ResourceFieldRef.extend({ containerName: Label }).optional(),
  })
  .refine(
    (item) => (item.fieldRef === undefined) !== (item.resourceFieldRef === undefined),
    'must have one of fieldRef and resourceFieldRef',
  );
export type DownwardItem = z.infer<typeof DownwardItem>;

export const DownwardApi = z.strictObject({
  items: z.array(DownwardItem).default([]),
  defaultMode: Mode.default(0o644),
});

const Projection = z.strictObject({
  name: Subdomain,
  items: z.array(Item).optional(),
  optional: z.boolean().default(false),
});
const Source = z
  .strictObject({
    configMap: Projection.optional(),
    secret: Projection.optional(),
    downwardAPI: z.strictObject({ items: z.array(DownwardItem).default([]) }).optional(),
  })
  .refine(
    (source) => Object.values(source).filter((each) => each !== undefined).length === 1,
    'must have one of configMap, secret and downwardAPI',
  );
export type Source = z.infer<typeof Source>;

const SubPath = z
  .string()
  .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]*$/, "must be relative and not contain '..'");

export const VolumeMount = z
  .strictObject({
    name: Label,
    mountPath: z
      .string()
      .startsWith('/')
      .regex(/^[^:\0]*$/, 'must not contain a colon'),
    readOnly: z.boolean().default(false),
    subPath: SubPath.optional(),
    subPathExpr: SubPath.optional(),
    mountPropagation: z.enum(['None', 'HostToContainer', 'Bidirectional']).optional(),
  })
  .refine(
    ({ subPath = '', subPathExpr = '' }) => subPath === '' || subPathExpr === '',
    'has both subPath and subPathExpr',
  );
export type VolumeMount = z.infer<typeof VolumeMount>;

const HOST_PATH_TYPES = [
  '',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
  'CharDevice',
  'BlockDevice',
] as const;

export const HostPath = z.strictObject({
  path: z
    .string()
    .startsWith('/')
    .regex(/^(?!.*(^|\/)\.\.(\/|$))/, "must not contain '..'")
    .regex(/^[^:\0]*$/, 'must not contain a colon: Docker takes none'),
  type: z.enum(HOST_PATH_TYPES).default(''),
});
export type HostPath = z.infer<typeof HostPath>;

export const Projected = z.strictObject({
  sources: z.array(Source).nonempty(),
  defaultMode: Mode.default(0o644),
});
