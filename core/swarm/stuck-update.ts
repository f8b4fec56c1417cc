import { MARK } from '#core/swarm/marks.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { isUnderWay } from '#core/swarm/task-words.ts';
import type { LiveService, LiveTask } from '#core/swarm/world.ts';

export const WAITS_IN_VAIN = 'its update waits for a task whose server died';

/**
 * The task that an update waits for and that will never run: its server died before it did, and another task has its
 * place. Swarm itself waits without end. Absent where the service was written since.
 */
export function vainTask(
  live: LiveService | undefined,
  tasks: readonly LiveTask[],
): LiveTask | undefined {
  if (live?.update?.state !== 'updating') return undefined;
  return tasks.find(
    (task) => isUnderWay(task) && task.desired === 'shutdown' && task.createdAt >= live.updatedAt,
  );
}

/** The same to every task, and another to Swarm, which begins its update anew with what is left of it. */
export function begunAnew(spec: ServiceSpec, { id }: LiveTask): ServiceSpec {
  return { ...spec, Labels: { ...spec.Labels, [MARK.begunAnew]: id } };
}

/** As it was meant. */
export function withoutBegunAnew(spec: unknown): unknown {
  if (typeof spec !== 'object' || spec === null || !('Labels' in spec)) return spec;
  const { [MARK.begunAnew]: _task, ...Labels } = (spec.Labels ?? {}) as Record<string, string>;
  return { ...spec, Labels };
}
