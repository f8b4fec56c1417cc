import { setTimeout as sleep } from 'node:timers/promises';
import { DockerError } from '#adapters/docker/call.ts';
import type { ContainerSpec, PodSpec } from '#core/docker/world.ts';
import {
  createContainer,
  labelsOf,
  restartContainer,
  startContainer,
  undoDrift,
  unpauseContainer,
} from './containers.ts';
import { endContainers, leavingOf } from './end-containers.ts';
import type { Leaving } from './end-containers.ts';
import { findDrift, parseMade } from './drift.ts';
import type { EngineState } from './engine-state.ts';
import { hooksIn } from './hooks.ts';
import { isStartedSince, timeOf } from './inspected.ts';
import type { InspectedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { LABEL } from './marks.ts';
import { partName, podKey } from './names.ts';
import type { ClusterNetwork } from './network.ts';
import { onHost, podAddress } from './pod-address.ts';
import { containerBody, podMarks } from './pod-config.ts';
import { probeTarget } from './probe-target.ts';
import { securityOptionsOf } from './security-options.ts';
import { hasSubPaths, makeSubPaths, volumeRootsOf } from './sub-paths.ts';

const FIRST_PROBE_MS = 50;

/** What there is of a pod. */
export interface PodParts {
  sandbox?: InspectedContainer;
  containers: InspectedContainer[];
}

/** What containers are made in. */
export interface Making extends Pick<PodParts, 'containers'> {
  sandboxId: string;
  /** Ends when the sandbox runs and its volumes are filled. */
  starting: Promise<unknown>;
}

/** A container of a pod that is there as it should have been made, running or not. */
export interface Prepared {
  id: string;
  name: string;
  /** As it was found; absent where it was made just now. */
  found?: InspectedContainer;
}

/** Containers of the pod, side by side; not those that Docker refuses to make. */
export async function prepareContainers(
  state: EngineState,
  pod: PodSpec,
  wanted: readonly ContainerSpec[],
  making: Making,
  signal: AbortSignal,
): Promise<Prepared[]> {
  const found = new Map(making.containers.map((each) => [labelsOf(each)[LABEL.container], each]));
  const prepared = await Promise.all(
    wanted.map((container) =>
      tryFor(state, pod, container.name, () =>
        prepare(state, pod, container, making, found.get(container.name), signal),
      ),
    ),
  );
  return prepared.filter((container) => container !== undefined);
}

/** Brings it to run in the sandbox. False where Docker refuses that. */
export async function runPrepared(
  state: EngineState,
  network: ClusterNetwork,
  pod: PodSpec,
  sandbox: InspectedContainer,
  container: Prepared,
  signal: AbortSignal,
): Promise<boolean> {
  const runs = await tryFor(state, pod, container.name, async () => {
    await run(state, pod, sandbox, container, signal);
    await probeAtOnce(state, network, sandbox, container.id, signal);
    return true;
  });
  if (container.found !== undefined) state.inspections.forget(container.id);
  return runs === true;
}

async function prepare(
  state: EngineState,
  pod: PodSpec,
  container: ContainerSpec,
  { sandboxId, starting }: Making,
  found: InspectedContainer | undefined,
  signal: AbortSignal,
): Promise<Prepared | undefined> {
  const { context } = state;
  const { name } = container;
  if (hasSubPaths(container) && found?.State.Status !== 'running') {
    await starting;
    const wrong = await makeSubPaths(context, pod, container, sandboxId, signal);
    if (wrong !== undefined) {
      state.problems.failed(podKey(pod), name, wrong, 'CreateContainerConfigError');
      return undefined;
    }
  }
  if (found !== undefined) {
    state.inspections.forget(found.Id);
    if (await isUsable(state, sandboxId, found, signal)) return { id: found.Id, name, found };
    await endContainers(
      context,
      state.hooks,
      [leaving(found)],
      { graceSeconds: pod.graceSeconds },
      signal,
    );
  }
  const expected = {
    ...podMarks(context, pod),
    [LABEL.role]: 'container',
    [LABEL.container]: name,
  };
  const securityOptions = await securityOptionsOf(context, pod, container, signal);
  const volumeRoots = await volumeRootsOf(context, pod, container, signal);
  const lastWords = await state.lastWordFiles.make(pod, name, signal);
  const fromHost = { volumeRoots, securityOptions, lastWords };
  const body = containerBody(context, pod, container, sandboxId, fromHost);
  const fullName = partName(context, pod, name);
  return { id: await createContainer(context, fullName, body, expected, signal), name };
}

function leaving(container: InspectedContainer): Leaving {
  return leavingOf(container.Id, labelsOf(container));
}

/** False where it has to be made anew. */
async function isUsable(
  { context }: EngineState,
  sandboxId: string,
  found: InspectedContainer,
  signal: AbortSignal,
): Promise<boolean> {
  if (found.HostConfig.NetworkMode !== `container:${sandboxId}`) return false;
  if (found.State.Status === 'dead' || found.State.Status === 'removing') return false;
  const made = parseMade(labelsOf(found)[LABEL.made]);
  if (made === undefined) return false;
  return findDrift(made, found).length === 0 || undoDrift(context, found, made, signal);
}

async function run(
  { context, hooks }: EngineState,
  pod: PodSpec,
  sandbox: InspectedContainer,
  { id, found }: Prepared,
  signal: AbortSignal,
): Promise<void> {
  if (found === undefined) return startContainer(context, id, signal);
  const { Status: status } = found.State;
  if (status === 'paused') return unpauseContainer(context, id, signal);
  if (status === 'exited' || status === 'created') return startContainer(context, id, signal);
  // It runs on in the network namespace that the sandbox had before.
  if (isStartedSince(found, sandbox)) return;
  const { graceSeconds } = pod;
  const asked = await hooks.preStop({ id, graceSeconds, goes: false }, signal);
  if (!asked.restarted) await restartContainer(context, id, asked.graceSeconds, signal);
}

/**
 * The first probe does not wait for the next look at the world; that waits a moment for its answer, which most often makes
 * one look out of two.
 */
async function probeAtOnce(
  { context, prober, times }: EngineState,
  network: ClusterNetwork,
  sandbox: InspectedContainer,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const address = podAddress(sandbox, network);
  const container = await inspectContainer(context, id, signal);
  if (container?.State.Status !== 'running' || address === undefined) return;
  // It waits for its postStart hook.
  if (hooksIn(container).postStart !== undefined) return;
  const target = probeTarget(container, {
    address,
    served: false,
    startedAt: times.of(timeOf(container.State.StartedAt)),
    ...onHost(sandbox),
  });
  if (target === undefined) return;
  const probed = prober.watch(target);
  const first = target.probes.startup ?? target.probes.readiness;
  if (first?.initialDelaySeconds === 0)
    await Promise.race([probed, sleep(FIRST_PROBE_MS, undefined, { signal, ref: false })]);
}

/** What Docker refuses is the pod's problem and no error of the pass. */
async function tryFor<T>(
  state: EngineState,
  pod: PodSpec,
  container: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    state.problems.failed(podKey(pod), container, error.message);
    return undefined;
  }
}
