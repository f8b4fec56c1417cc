import { isUnderWay } from '#core/swarm/task-words.ts';
import type { LiveTask } from '#core/swarm/world.ts';

/** How long to look at nothing of what starts: each look, and each load of a proxy, takes processors from it. */
export interface LeftAlone {
  /** Until so many more run, where it is told when they do. */
  starts: number;
  /** Or so long. */
  ms: number;
}

/** Of so few on a server each is led to as soon as it is up. */
const FEW = 8;
const EACH_MS = 100;
const LONGEST_MS = 3_000;
/** What stays as it is for so long waits for something else: an image, a probe, a server that does nothing. */
const STARTS_FOR_MS = 30_000;

/** Until half of the tasks are up that start on the server where they are most. Absent where they are few on each. */
export function leftAlone(tasks: readonly LiveTask[], now: number): LeftAlone | undefined {
  const starting = tasks.filter(
    (task) => task.desired === 'running' && isUnderWay(task) && now - task.at < STARTS_FOR_MS,
  );
  const servers = Map.groupBy(starting, ({ node }) => node);
  const most = Math.max(0, ...[...servers.values()].map((some) => some.length));
  if (most <= FEW) return undefined;
  return { starts: Math.ceil(most / 2), ms: Math.min(most * EACH_MS, LONGEST_MS) };
}
