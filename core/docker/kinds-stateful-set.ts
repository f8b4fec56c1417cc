import { z } from 'zod';
import { Amount, Label } from '#core/docker/kind-words.ts';
import { ClaimTemplate } from '#core/docker/kinds-claim.ts';

const DEFAULT_ROLLING = { partition: 0, maxUnavailable: 1 };
const KEEP_ALL = { whenDeleted: 'Retain', whenScaled: 'Retain' } as const;

const UpdateStrategy = z
  .strictObject({
    type: z.enum(['RollingUpdate', 'OnDelete']).default('RollingUpdate'),
    rollingUpdate: z
      .strictObject({
        partition: z.int().min(0).default(0),
        maxUnavailable: Amount.refine(
          (amount) => Number.parseInt(String(amount), 10) > 0,
          'must be more than 0',
        ).default(1),
      })
      .optional(),
  })
  .refine(
    (strategy) => strategy.type === 'RollingUpdate' || strategy.rollingUpdate === undefined,
    'rollingUpdate belongs to type RollingUpdate',
  )
  .transform((strategy) => ({
    type: strategy.type,
    rollingUpdate: strategy.rollingUpdate ?? DEFAULT_ROLLING,
  }));

/** What becomes of the volumes of claims: with the StatefulSet, and with pods that it is scaled down by. */
const Fate = z.enum(['Retain', 'Delete']).default('Retain');

/** What a StatefulSet's spec says beside its selector and template. */
export const StatefulSetFields = {
  replicas: z.int().min(0).max(1_000).default(1),
  serviceName: Label.optional(),
  podManagementPolicy: z.enum(['OrderedReady', 'Parallel']).default('OrderedReady'),
  updateStrategy: UpdateStrategy.default({
    type: 'RollingUpdate',
    rollingUpdate: DEFAULT_ROLLING,
  }),
  ordinals: z
    .strictObject({ start: z.int().min(0).max(1_000_000).default(0) })
    .default({ start: 0 }),
  volumeClaimTemplates: z.array(ClaimTemplate).default([]),
  persistentVolumeClaimRetentionPolicy: z
    .strictObject({ whenDeleted: Fate, whenScaled: Fate })
    .default(KEEP_ALL),
  minReadySeconds: z.int().min(0).default(0),
  // What can be gone back to is every release in git.
  revisionHistoryLimit: z.int().min(0).optional(),
} as const;
