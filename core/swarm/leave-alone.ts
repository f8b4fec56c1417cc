import { isUnderWay } from '#core/swarm/task-words.ts';
import type { LiveTask } from '#core/swarm/world.ts';

/** As long as so many tasks of a server start, it is left alone: each look, and each load of a proxy, takes processors from them. */
export interface LeftAlone {
  /** Until so many have started. */
  starts: number;
  /** Or so long. */
  ms: number;
}

/** Of so few each is led to as soon as it is up. */
const FEW = 8;
const EACH_MS = 80;
const LONGEST_MS = 2_000;

/** Until half of them are up. Absent where they are few on each server. */
export function leftAlone(tasks: readonly LiveTask[]): LeftAlone | undefined {
  const starting = tasks.filter((task) => task.desired === 'running' && isUnderWay(task));
  const servers = Map.groupBy(starting, ({ node }) => node);
  const most = Math.max(0, ...[...servers.values()].map((some) => some.length));
  if (most <= FEW) return undefined;
  return { starts: Math.ceil(most / 2), ms: Math.min(most * EACH_MS, LONGEST_MS) };
}
