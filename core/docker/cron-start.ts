import type { CronRules, CronState } from '#core/docker/cron-state.ts';
import { createSchedule } from '#core/docker/schedule.ts';

const SECOND_MS = 1_000;
/** More starts that were missed are told of. */
const MOST_MISSED = 100;

/** What time asks for; all times are milliseconds since the epoch. */
export interface CronStart {
  /** The start that is to be made now. */
  due?: { at: number; missedMany: boolean };
  /** The last start, where it is too late for that by the deadline. */
  missed?: number;
  /** The next one; absent where it is suspended. */
  next?: number;
}

/**
 * Which start is due. Of those that were missed it is the last one, in whatever number; none for which it is later than
 * `startingDeadlineSeconds`, and none before the CronJob was there.
 */
export function nextStart(
  { schedule: text, timeZone, startingDeadlineSeconds, suspend }: CronRules,
  { since, last = since }: Pick<CronState, 'since' | 'last'>,
  now: number,
): CronStart {
  if (suspend) return {};
  const schedule = createSchedule(text, timeZone);
  const next = schedule.next(now);
  const at = schedule.latest(now);
  const start = next === undefined ? {} : { next };
  if (at === undefined || at <= last) return start;
  const deadlineMs = (startingDeadlineSeconds ?? Infinity) * SECOND_MS;
  if (at + deadlineMs < now) return { ...start, missed: at };
  const counted = Math.max(last, now - deadlineMs);
  const count = schedule.count(counted, at, MOST_MISSED + 1);
  return { ...start, due: { at, missedMany: count > MOST_MISSED } };
}
