import type { ResourceKey } from '#core/resources/resource.ts';

/** The CronJob that has started a Job, told by its name: that of the CronJob, and the minute since the epoch. */
export function cronJobOf(job: ResourceKey): ResourceKey | undefined {
  const [, named] = /^Job(\/.+)-\d{8}$/.exec(job) ?? [];
  return named === undefined ? undefined : `CronJob${named}`;
}
