import { isDone } from '#core/docker/init.ts';
import { isOver } from '#core/docker/pod-phase.ts';
import { hasBegun } from '#core/docker/post-start.ts';
import type { ContainerProbes, LiveContainer, LivePod } from '#core/docker/world.ts';

/** Whether it may get traffic: not leaving, everything runs where it should, and every probe answered well. */
export function isReady(pod: LivePod): boolean {
  const containers = Object.values(pod.containers).filter(({ init }) => init?.sidecar !== false);
  return (
    pod.deletingSince === undefined &&
    pod.sandbox.state === 'running' &&
    pod.ip !== undefined &&
    pod.problem === undefined &&
    containers.some(({ init }) => init === undefined) &&
    containers.every((each) => each.state === 'running' && each.joined && hasBegun(each)) &&
    Object.values(pod.probes).every(isProbedReady)
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
        Object.fromEntries(
          Object.entries(probe).filter(([, state]) => !isUnprobed(state)),
        ) as ContainerProbes,
      ]),
    ),
  });
  return isBack ? pod.unreadySince + BLINK_MS : undefined;
}

function isUnprobed(state: object): boolean {
  return 'unprobed' in state;
}

function restarted(container: LiveContainer): LiveContainer {
  const isDown =
    (container.state === 'exited' && !isOver(container)) || container.state === 'restarting';
  return isDown ? { ...container, state: 'running' } : container;
}

/** Whether its startup and readiness probes are content. */
export function isProbedReady({ startup, readiness }: ContainerProbes): boolean {
  return (startup?.ok ?? true) && (readiness?.ok ?? true);
}

/** When the pod last became ready (ms); only of a ready pod. */
export function readySince(pod: LivePod): number {
  return Math.max(
    ...Object.values(pod.containers).map(({ startedAt, postStart }) =>
      Math.max(startedAt, postStart?.at ?? 0),
    ),
    ...Object.values(pod.probes).flatMap(({ startup, readiness }) =>
      [startup, readiness].flatMap((state) => state?.since ?? []),
    ),
  );
}

/** Ready for `minReadySeconds`, as a rollout counts it. */
export function isAvailable(pod: LivePod, minReadySeconds: number, now: number): boolean {
  return isReady(pod) && now - readySince(pod) >= minReadySeconds * 1_000;
}

/** Whether it crashed again and again, and waits to be started. */
export function isHeldBack(container: LiveContainer, now: number): boolean {
  const { state, restartAt = 0 } = container;
  return state === 'exited' && restartAt > now && !isOver(container);
}

/** A wait as long as the third one of the back-off: by then it counts as crashing for good. */
const HOPELESS_WAIT_MS = 20_000;
/** As many restarts by Docker itself take as long, where nobody holds the container back. */
const HOPELESS_RESTARTS = 6;

export function isCrashLooping(container: LiveContainer, now: number): boolean {
  const { state, restarts, restartAt = 0, finishedAt } = container;
  if (state === 'restarting') return restarts >= HOPELESS_RESTARTS;
  return isHeldBack(container, now) && restartAt - finishedAt >= HOPELESS_WAIT_MS;
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
    if (container.state === 'running' && !hasBegun(container))
      return `pod ${pod.name}: container ${name}: ${container.postStart?.answer}`;
  }
  for (const [name, probes] of Object.entries(pod.probes)) {
    const answer = probeAnswer(probes);
    if (answer !== undefined) return `pod ${pod.name}: container ${name}: ${answer}`;
  }
  const [running] = Object.entries(pod.containers).filter(
    ([, { init, state }]) => init?.sidecar === false && state === 'running',
  );
  if (running !== undefined) return `pod ${pod.name}: init container ${running[0]} runs`;
  return `pod ${pod.name} ${isEnding(pod) ? 'has not ended' : 'is starting'}`;
}

/** Whether some of its own containers are done, and others are not. */
function isEnding({ containers }: LivePod): boolean {
  return Object.values(containers).some((each) => each.init === undefined && isOver(each));
}

/** Which probe is not content with it and what was answered; absent where all are. */
export function probeAnswer({ startup, readiness, failed }: ContainerProbes): string | undefined {
  if (failed !== undefined) return `${failed.probe} probe failed: ${failed.answer}`;
  if (startup?.ok === false) return `startup probe: ${startup.answer}`;
  return readiness?.ok === false ? `readiness probe: ${readiness.answer}` : undefined;
}

/** Of a termination message, in the line that says why: its end. */
const MOST_SAID = 500;

function endedReason(container: LiveContainer, now: number): string {
  const { state, restarts, cause } = container;
  if (state === 'running' || state === 'created' || isDone(container)) return '';
  if (isOver(container) && container.exitCode === 0) return '';
  const how = cause ?? (container.oomKilled ? 'OOMKilled' : `exit code ${container.exitCode}`);
  const isLooping = isHeldBack(container, now) || isCrashLooping(container, now);
  const stage = container.init?.sidecar === false ? 'Init:' : '';
  const error = stage === '' ? how : `${stage}Error: ${how}`;
  const loop = isLooping ? `${stage}CrashLoopBackOff: ${how}` : error;
  return `${loop}, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}${lastSaid(container)}`;
}

function lastSaid({ lastLog = [], lastWords }: LiveContainer): string {
  if (lastWords !== undefined)
    return `; it said: ${lastWords.trim().slice(-MOST_SAID).replaceAll('\n', ' | ')}`;
  return lastLog.length === 0 ? '' : `; last lines: ${lastLog.join(' | ')}`;
}
