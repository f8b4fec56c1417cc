import { Cron } from 'croner';
import { ScheduleError, scheduleFields } from '#core/docker/schedule-fields.ts';
import { messageOf } from '#core/errors.ts';

const MINUTE_MS = 60_000;
/** Of a schedule that says none, as that of most clusters. */
const TIME_ZONE = 'UTC';
/** Every day that there is comes within eight years of it. */
const SOME_TIME = new Date(0);

/** When something is to be done; times are milliseconds since the epoch. */
export interface Schedule {
  /** The last time until now; absent where there was none. */
  latest(now: number): number | undefined;
  next(after: number): number | undefined;
  /** How many times there are after the one until the other, `most` at most. */
  count(after: number, until: number, most: number): number;
}

/**
 * A schedule of five fields, or `@daily` and such. Clocks that change are dealt with as in Kubernetes: a time that is
 * skipped is skipped, one that comes twice is there twice.
 */
export function createSchedule(text: string, timeZone = TIME_ZONE): Schedule {
  // Each hour as a range with a step: croner moves and merges what names single times only.
  const cron = new Cron(scheduleFields(text).join(' '), { mode: '5-part', timezone: timeZone });
  return {
    latest(now) {
      const end = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
      return cron.previousRuns(1, new Date(end))[0]?.getTime();
    },
    next: (after) => cron.nextRun(new Date(after))?.getTime(),
    count: (after, until, most) =>
      cron.nextRuns(most, new Date(after)).filter((run) => run.getTime() <= until).length,
  };
}

/** What is wrong with a schedule; absent where nothing is. */
export function scheduleProblem(text: string): string | undefined {
  try {
    const isEver = createSchedule(text).next(SOME_TIME.getTime()) !== undefined;
    return isEver ? undefined : 'never comes: no month has such a day';
  } catch (error) {
    if (error instanceof ScheduleError) return messageOf(error);
    throw error;
  }
}

/** By the names that there are: `Europe/Berlin`, and no `+02:00`. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
