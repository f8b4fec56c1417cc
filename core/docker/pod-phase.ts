import type { LiveContainer, LivePod, PodSpec } from '#core/docker/world.ts';

/** How a pod ended for good. */
export interface PodEnd {
  phase: 'Succeeded' | 'Failed';
  reason?: 'DeadlineExceeded';
}

/** Whether it ended and stays so, by the restartPolicy that it was made with. */
export function isOver({ state, startedAt, restart, exitCode }: LiveContainer): boolean {
  if (state !== 'exited' || startedAt === 0) return false;
  return restart === 'Never' || (restart === 'OnFailure' && exitCode === 0);
}

/** Whether the pod's own containers all ended: it is no address of a Service any more. */
export function hasEnded({ containers }: LivePod): boolean {
  const own = Object.values(containers).filter(({ init }) => init === undefined);
  return own.length > 0 && own.every(isOver);
}

/**
 * How the pod ended; absent while it goes on. Sidecars do not count: they end after the others. What ended before the
 * deadline did so by itself.
 */
export function endOf(pod: LivePod, spec: PodSpec, now: number): PodEnd | undefined {
  const own = spec.containers.filter(({ init }) => init === undefined);
  const live = own.map(({ name }) => pod.containers[name]);
  const over = live.filter((container) => container !== undefined && isOver(container));
  const deadline = deadlineOf(pod, spec);
  if (deadline !== undefined && deadline <= now) {
    const inTime = over.filter((container) => (container?.finishedAt ?? 0) <= deadline);
    if (inTime.length < own.length) return { phase: 'Failed', reason: 'DeadlineExceeded' };
  }
  if (Object.values(pod.containers).some(isFailedInit)) return { phase: 'Failed' };
  if (over.length < own.length) return undefined;
  const isWell = over.every((container) => container?.exitCode === 0);
  return { phase: isWell ? 'Succeeded' : 'Failed' };
}

/** When `activeDeadlineSeconds` are over (ms). */
export function deadlineOf(pod: LivePod, { activeSeconds }: PodSpec): number | undefined {
  return activeSeconds === undefined ? undefined : pod.createdAt + activeSeconds * 1_000;
}

/** Of a pod that never restarts one. */
function isFailedInit(container: LiveContainer): boolean {
  const { init, restart, exitCode } = container;
  return init?.sidecar === false && restart === 'Never' && isOver(container) && exitCode !== 0;
}
