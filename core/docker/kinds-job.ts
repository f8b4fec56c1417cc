import { z } from 'zod';

const MOST = 2 ** 31 - 1;

/** What a Job's spec says beside its template. */
export const JobFields = {
  parallelism: z.int().min(0).max(1_000).optional(),
  completions: z.int().min(0).max(1_000).optional(),
  completionMode: z.enum(['NonIndexed', 'Indexed']).default('NonIndexed'),
  backoffLimit: z.int().min(0).max(MOST).default(6),
  activeDeadlineSeconds: z.int().min(1).max(MOST).optional(),
  ttlSecondsAfterFinished: z.int().min(0).max(MOST).optional(),
  suspend: z.boolean().default(false),
} as const;
