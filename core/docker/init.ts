import { isOver } from '#core/docker/pod-phase.ts';
import { hasBegun, holdsOthers } from '#core/docker/post-start.ts';
import type { ContainerSpec, LiveContainer, LivePod, PodSpec } from '#core/docker/world.ts';

/** How far a pod is on its way through its init containers. */
export interface Turn {
  /** The containers that are to run now, by name. */
  run: string[];
  /** Its sandbox is another than that of its containers: they go, and it begins from its first one. */
  anew: boolean;
  /** Those that are not in `run` have to wait for one that is. */
  initialising: boolean;
}

/**
 * Each init container runs once those before it have ended well or, of sidecars, have started; all others run after the
 * last. A pod that came so far does not go back but with its sandbox, as in Kubernetes.
 */
export function turnOf({ containers }: Pick<PodSpec, 'containers'>, pod?: LivePod): Turn {
  const inits = containers.filter(({ init }) => init !== undefined);
  if (inits.length === 0)
    return {
      run: namesOf(withoutOver(untilHeld(containers, pod), pod)),
      anew: false,
      initialising: false,
    };
  const anew = pod !== undefined && hasOtherSandbox(pod);
  const live = anew || pod === undefined ? undefined : pod;
  const waits = isInitialised(live)
    ? -1
    : containers.findIndex(
        ({ name, init }) => init !== undefined && !isPassed(name, init.sidecar, live),
      );
  const begun = waits === -1 ? containers : containers.slice(0, waits + 1);
  const run = untilHeld(begun, live).filter(
    ({ init }, index) => init?.sidecar !== false || index === waits,
  );
  return { run: namesOf(withoutOver(run, live)), anew, initialising: waits !== -1 };
}

/** Without those that ended for good. */
function withoutOver(
  containers: readonly ContainerSpec[],
  pod: LivePod | undefined,
): readonly ContainerSpec[] {
  return containers.filter(({ name }) => {
    const container = pod?.containers[name];
    return container === undefined || !isOver(container);
  });
}

/** Up to the first whose postStart hook the others wait for. */
function untilHeld(
  containers: readonly ContainerSpec[],
  pod: LivePod | undefined,
): readonly ContainerSpec[] {
  const last = containers.findIndex((container) => holdsOthers(container, pod));
  return last === -1 ? containers : containers.slice(0, last + 1);
}

/** An init container that ended well, and has nothing to do any more. */
export function isDone({ init, state, exitCode }: LiveContainer): boolean {
  return init?.sidecar === false && state === 'exited' && exitCode === 0;
}

function hasOtherSandbox({ sandbox, containers }: LivePod): boolean {
  const inits = Object.values(containers).filter(({ init }) => init !== undefined);
  const started = inits.filter(({ startedAt }) => startedAt > 0);
  if (sandbox.state !== 'running') return sandbox.state !== 'paused' && started.length > 0;
  return started.some(({ startedAt }) => startedAt < sandbox.startedAt);
}

function isInitialised(pod: LivePod | undefined): boolean {
  return Object.values(pod?.containers ?? {}).some(
    ({ init, startedAt }) => init === undefined && startedAt > 0,
  );
}

function isPassed(name: string, isSidecar: boolean, pod: LivePod | undefined): boolean {
  const container = pod?.containers[name];
  if (container === undefined) return false;
  if (!isSidecar) return isDone(container);
  return (
    container.state === 'running' && hasBegun(container) && (pod?.probes[name]?.startup?.ok ?? true)
  );
}

function namesOf(containers: readonly { name: string }[]): string[] {
  return containers.map(({ name }) => name);
}
