import type { LeavingNode } from '#core/swarm/servers/seen.ts';
import { isReady } from '#core/swarm/task-words.ts';
import type { LiveTask, SwarmWorld } from '#core/swarm/world.ts';

/**
 * Tasks that proxies and names may lead to. Swarm ends those of a server that is drained at once, so nothing may lead there by
 * then: they are left out once nothing there waits to serve elsewhere, while the server is paused. What serves nowhere else is
 * led to until it ends.
 */
export function ledTo(
  { tasks, nodes }: Pick<SwarmWorld, 'tasks' | 'nodes'>,
  leaving: ReadonlyMap<string, Pick<LeavingNode, 'waits'>>,
): readonly LiveTask[] {
  const going = new Set(
    nodes
      .filter(({ id, availability }) =>
        availability === 'pause' ? leaving.get(id)?.waits.length === 0 : availability === 'drain',
      )
      .map(({ id }) => id),
  );
  if (going.size === 0) return tasks;
  function isGoing({ node = '' }: LiveTask): boolean {
    return going.has(node);
  }
  const elsewhere = new Set(
    tasks.filter((task) => isReady(task) && !isGoing(task)).map(({ pod }) => placeOf(pod)),
  );
  return tasks.filter((task) => !isGoing(task) || !elsewhere.has(placeOf(task.pod)));
}

/** What stands in for it elsewhere: of a StatefulSet no other pod does. */
function placeOf({ keeper, published = '' }: LiveTask['pod']): string {
  return `${keeper} ${published}`;
}
