import { z } from 'zod';
import { isTimeZone, scheduleProblem } from '#core/docker/schedule.ts';

const LONGEST_MINUTES = 7 * 24 * 60;

/** A time that comes again and again, at which deploys may begin or may not. */
export const Window = z.strictObject({
  kind: z
    .enum(['allow', 'deny'])
    .describe('With windows that allow, deploys begin in them only; those that deny go first'),
  schedule: z
    .string()
    .superRefine((text, context) => {
      const message = scheduleProblem(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .describe('When it begins, as a CronJob has it: minute, hour, day, month, day of the week'),
  minutes: z.int().min(1).max(LONGEST_MINUTES).describe('How long it lasts'),
  timeZone: z
    .string()
    .refine(isTimeZone, 'must be the name of a time zone, e.g. Europe/Berlin')
    .default('UTC')
    .describe('Of the schedule'),
  override: z
    .boolean()
    .default(true)
    .describe('Whether `windlass open` lets deploys begin in spite of it'),
});
export type Window = z.infer<typeof Window>;
