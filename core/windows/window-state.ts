import { createSchedule } from '#core/docker/schedule.ts';
import type { Window } from '#core/windows/window.ts';

const MINUTE_MS = 60_000;
/** So many beginnings and ends are looked through for one that opens. */
const MOST_CHANGES = 500;

/** Whether deploys may begin. Times are milliseconds since the epoch. */
export type WindowState =
  | { isOpen: true }
  | {
      isOpen: false;
      /** When they may, by the windows alone; absent where that is not in sight. */
      opensAt?: number;
      why: string;
      mayOverride: boolean;
    };

interface Timed {
  window: Window;
  isActive: boolean;
  /** Its next beginning or end. */
  changesAt: number | undefined;
}

/** Any window that denies keeps them closed; where some allow, one of those must be on. */
export function windowState(windows: readonly Window[], now: number): WindowState {
  const timed = windows.map((window) => at(window, now));
  const blocking = blockingAmong(timed);
  if (blocking.length === 0) return { isOpen: true };
  const opensAt = nextOpen(windows, timed);
  return {
    isOpen: false,
    ...(opensAt === undefined ? {} : { opensAt }),
    why: blocking.map(({ window }) => describe(window)).join(', '),
    mayOverride: blocking.every(({ window }) => window.override),
  };
}

function blockingAmong(timed: readonly Timed[]): Timed[] {
  const denying = timed.filter(({ window, isActive }) => window.kind === 'deny' && isActive);
  const allowing = timed.filter(({ window }) => window.kind === 'allow');
  const isAllowed = allowing.length === 0 || allowing.some(({ isActive }) => isActive);
  return isAllowed ? denying : [...denying, ...allowing];
}

function at(window: Window, now: number): Timed {
  const schedule = createSchedule(window.schedule, window.timeZone);
  const began = schedule.latest(now);
  const ends = began === undefined ? -Infinity : began + window.minutes * MINUTE_MS;
  const isActive = now < ends;
  return { window, isActive, changesAt: isActive ? ends : schedule.next(now) };
}

function nextOpen(windows: readonly Window[], from: readonly Timed[]): number | undefined {
  let timed = from;
  for (let change = 0; change < MOST_CHANGES; change += 1) {
    const next = Math.min(...timed.map(({ changesAt = Infinity }) => changesAt));
    if (next === Infinity) return undefined;
    timed = windows.map((window) => at(window, next));
    if (blockingAmong(timed).length === 0) return next;
  }
  return undefined;
}

function describe({ kind, schedule, minutes, timeZone }: Window): string {
  const when = `${schedule} ${timeZone} for ${minutes} min`;
  return kind === 'deny' ? `denied at ${when}` : `allowed only at ${when}`;
}

/** For a person: until when deploys are closed, and by what. */
export function closedText({ opensAt, why }: Extract<WindowState, { isOpen: false }>): string {
  const until =
    opensAt === undefined
      ? ''
      : ` until ${new Date(opensAt).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `deploys are closed${until} (${why})`;
}
