import { hasBegun } from '#core/docker/post-start.ts';
import { isDone, turnOf } from '#core/docker/init.ts';
import { endOf } from '#core/docker/pod-phase.ts';
import { isHeldBack, isProbedReady, isReady, probeAnswer } from '#core/docker/readiness.ts';
import type { LiveContainer, LivePod, PodSpec } from '#core/docker/world.ts';
import type { ContainerStatus, PodStatus } from '#core/engine.ts';

/** A pod as people see it. `spec` is absent for a pod of an earlier template. */
export function podStatus(pod: LivePod, spec: PodSpec | undefined, now: number): PodStatus {
  const names = new Set([
    ...(spec?.containers.map(({ name }) => name) ?? []),
    ...Object.keys(pod.containers),
  ]);
  const begun = spec === undefined ? [...names] : turnOf(spec, pod).run;
  return {
    name: pod.name,
    namespace: pod.namespace,
    owner: pod.keeper,
    ...(pod.ip === undefined ? {} : { ip: pod.ip }),
    ...(spec === undefined ? {} : endOf(pod, spec, now)),
    ready: isReady(pod),
    createdAt: pod.createdAt,
    containers: [...names].map((name) => ({
      name,
      image: spec?.containers.find((container) => container.name === name)?.image ?? '',
      ...containerStatus(pod, name, now, begun),
    })),
  };
}

function containerStatus(
  pod: LivePod,
  name: string,
  now: number,
  begun: readonly string[],
): Omit<ContainerStatus, 'name' | 'image'> {
  const container = pod.containers[name];
  if (pod.problem?.container === name) {
    const { reason, message } = pod.problem;
    return { state: 'waiting', ready: false, restarts: container?.restarts ?? 0, reason, message };
  }
  if (container === undefined)
    return {
      state: 'waiting',
      ready: false,
      restarts: 0,
      reason: begun.includes(name) ? 'ContainerCreating' : 'PodInitializing',
    };
  const { restarts, state } = container;
  if (isHeldBack(container, now)) {
    return {
      state: 'waiting',
      ready: false,
      restarts,
      reason: 'CrashLoopBackOff',
      exitCode: container.exitCode,
      ...lastSaid(container),
      ...lastEnd(container),
    };
  }
  if (state === 'running' && !hasBegun(container)) {
    const { postStart } = container;
    return {
      state: 'waiting',
      ready: false,
      restarts,
      reason: postStart?.state === 'failed' ? 'PostStartHookError' : 'ContainerCreating',
      message: postStart?.answer ?? '',
      ...lastEnd(container),
    };
  }
  if (state === 'running') {
    const probes = pod.probes[name] ?? {};
    const answer = probeAnswer(probes);
    return {
      state: 'running',
      ready: container.joined && isProbedReady(probes),
      restarts,
      ...(answer === undefined ? {} : { message: answer }),
      ...lastEnd(container),
    };
  }
  if (state === 'created')
    return { state: 'waiting', ready: false, restarts, reason: 'ContainerCreating' };
  return {
    state: 'terminated',
    ready: isDone(container),
    restarts,
    reason: endReason(container),
    exitCode: container.exitCode,
    ...lastSaid(container),
  };
}

function endReason({ oomKilled, exitCode, state }: LiveContainer): string {
  if (oomKilled) return 'OOMKilled';
  if (state === 'paused') return 'Paused';
  return exitCode === 0 ? 'Completed' : 'Error';
}

/** How it ended before it was restarted. */
function lastEnd(container: LiveContainer): Pick<ContainerStatus, 'last'> {
  const { restarts, exitCode, cause, lastLog, lastWords } = container;
  if (restarts === 0 || lastLog === undefined) return {};
  const message = cause ?? lastWords;
  return {
    last: {
      reason: endReason(container),
      exitCode,
      ...(message === undefined ? {} : { message }),
    },
  };
}

/** Its termination message; the last lines of its log where it left none. */
function lastSaid({ lastLog = [], lastWords }: LiveContainer): { message?: string } {
  const message = lastWords ?? lastLog.join('\n');
  return message === '' ? {} : { message };
}
