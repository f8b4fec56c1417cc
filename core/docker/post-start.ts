import type { ContainerSpec, LiveContainer, LivePod } from '#core/docker/world.ts';

/** Its postStart hook has ended well, where it has one. */
export function hasBegun({ postStart }: Pick<LiveContainer, 'postStart'>): boolean {
  return (postStart?.state ?? 'done') === 'done';
}

/** As the kubelet starts containers one after another, those after it wait until its hook has ended, well or not. */
export function holdsOthers({ name, hooks }: ContainerSpec, pod: LivePod | undefined): boolean {
  if (hooks.postStart === undefined) return false;
  const container = pod?.containers[name];
  if (container === undefined)
    return pod?.problem?.container !== name || pod.problem.reason === 'Pulling';
  const isComing = container.state === 'running' || container.state === 'created';
  return isComing && container.postStart?.state === 'runs';
}

/** Ids of containers whose postStart hook is to run, or runs. */
export function postStartsOf(pods: readonly LivePod[]): string[] {
  return pods
    .filter(
      ({ deletingSince, sandbox }) => deletingSince === undefined && sandbox.state === 'running',
    )
    .flatMap(({ containers }) => Object.values(containers))
    .filter(
      ({ state, joined, postStart }) =>
        state === 'running' && joined && postStart?.state === 'runs',
    )
    .map(({ id }) => id);
}
