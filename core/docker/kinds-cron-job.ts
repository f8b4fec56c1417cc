import { z } from 'zod';
import { isTimeZone, scheduleProblem } from '#core/docker/schedule.ts';
import { nearest } from '#core/suggest.ts';

const MOST = 2 ** 31 - 1;

const TimeZone = z.string().check(({ value, issues }) => {
  if (isTimeZone(value)) return;
  const meant = nearest(value, Intl.supportedValuesOf('timeZone'));
  const hint = meant === undefined ? 'such as Europe/Berlin' : `did you mean ${meant}?`;
  issues.push({
    code: 'custom',
    input: value,
    message: `there is no time zone ${JSON.stringify(value)}: it is a name of the tz database (${hint})`,
  });
});

const Schedule = z.string().check(({ value, issues }) => {
  const message = scheduleProblem(value);
  if (message !== undefined) issues.push({ code: 'custom', input: value, message });
});

/** What a CronJob's spec says beside its Jobs. */
export const CronJobFields = {
  schedule: Schedule,
  timeZone: TimeZone.optional(),
  concurrencyPolicy: z.enum(['Allow', 'Forbid', 'Replace']).default('Allow'),
  startingDeadlineSeconds: z.int().min(0).max(MOST).optional(),
  suspend: z.boolean().default(false),
  successfulJobsHistoryLimit: z.int().min(0).max(1_000).default(3),
  failedJobsHistoryLimit: z.int().min(0).max(1_000).default(1),
} as const;
