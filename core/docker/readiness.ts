import type { LiveContainer, LivePod } from '#core/docker/world.ts';

/** Whether it may get traffic: not leaving, everything runs where it should, and every probe answered well. */
export function isReady(pod: LivePod): boolean {
  const containers = Object.values(pod.containers);
  return (
    pod.deletingSince === undefined &&
    pod.sandbox.state === 'running' &&
    pod.ip !== undefined &&
    pod.problem === undefined &&
    containers.length > 0 &&
    containers.every(({ state, joined }) => state === 'running' && joined) &&
    Object.values(pod.probes).every(({ ready }) => ready)
  );
}

/** How long a container may be down and still have traffic sent to its pod. */
const BLINK_MS = 1_000;

/**
 * Whether a pod that was ready only has a container that is being started again. It stays in the proxies for a moment,
 * since they pass over a server that refuses, and to take it out and in again would take longer than the start.
 * Answers until when (ms); absent where that is not so, or not any more.
 */
export function blinksUntil(pod: LivePod, now: number): number | undefined {
  if (pod.unreadySince === undefined || now >= pod.unreadySince + BLINK_MS) return undefined;
  const isBack = isReady({
    ...pod,
    containers: Object.fromEntries(
      Object.entries(pod.containers).map(([name, container]) => [name, restarted(container)]),
    ),
    probes: Object.fromEntries(
      Object.entries(pod.probes).map(([name, probe]) => [
        name,
        { ...probe, ready: probe.ready || probe.unprobed === true },
      ]),
    ),
  });
  return isBack ? pod.unreadySince + BLINK_MS : undefined;
}

function restarted(container: LiveContainer): LiveContainer {
  const isDown = container.state === 'exited' || container.state === 'restarting';
  return isDown ? { ...container, state: 'running' } : container;
}

/** When the pod last became ready (ms); only of a ready pod. */
export function readySince(pod: LivePod): number {
  return Math.max(
    ...Object.values(pod.containers).map(({ startedAt }) => startedAt),
    ...Object.values(pod.probes).map(({ since }) => since),
  );
}

/** Ready for `minReadySeconds`, as a rollout counts it. */
export function isAvailable(pod: LivePod, minReadySeconds: number, now: number): boolean {
  return isReady(pod) && now - readySince(pod) >= minReadySeconds * 1_000;
}

/** Restarts after which a container that does not stay up counts as crashing for good: half a minute of tries. */
const CRASHES_TO_FAIL = 6;
const STABLE_MS = 10_000;

export function isCrashLooping(container: LiveContainer, now: number): boolean {
  return (
    container.restarts >= CRASHES_TO_FAIL &&
    (container.state !== 'running' || now - container.startedAt < STABLE_MS)
  );
}

/** Why the pod is not ready, in the kubelet's words and with what the container said; empty when it is. */
export function unreadyReason(pod: LivePod, now: number): string {
  if (isReady(pod)) return '';
  if (pod.problem !== undefined) {
    const { container, reason, message } = pod.problem;
    return `pod ${pod.name}: container ${container}: ${reason}: ${message}`;
  }
  for (const [name, container] of Object.entries(pod.containers)) {
    const ended = endedReason(container, now);
    if (ended !== '') return `pod ${pod.name}: container ${name}: ${ended}`;
  }
  for (const [name, probe] of Object.entries(pod.probes)) {
    if (!probe.ready) return `pod ${pod.name}: container ${name}: readiness probe: ${probe.answer}`;
  }
  return `pod ${pod.name} is starting`;
}

function endedReason(container: LiveContainer, now: number): string {
  const { state, exitCode, oomKilled, restarts, lastLog } = container;
  const isDown = state !== 'running' && state !== 'created';
  if (!isDown && !isCrashLooping(container, now)) return '';
  const how = oomKilled ? 'OOMKilled' : `exit code ${exitCode}`;
  const loop = isCrashLooping(container, now) ? `CrashLoopBackOff: ${how}` : how;
  const said =
    lastLog === undefined || lastLog.length === 0 ? '' : `; last lines: ${lastLog.join(' | ')}`;
  return `${loop}, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}${said}`;
}
