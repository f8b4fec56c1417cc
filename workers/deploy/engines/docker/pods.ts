import { callDocker, DockerError } from '#adapters/docker/call.ts';
import { turnOf } from '#core/docker/init.ts';
import type { ContainerSpec, PodSpec, Step } from '#core/docker/world.ts';
import {
  createContainer,
  labelsOf,
  removeContainer,
  startContainer,
  undoDrift,
  unpauseContainer,
} from './containers.ts';
import { endContainers, leavingOf } from './end-containers.ts';
import { findDrift, parseMade } from './drift.ts';
import { ownClaims } from './claims.ts';
import type { EngineState } from './engine-state.ts';
import { checkHostPaths } from './host-paths.ts';
import type { InspectedContainer, ListedContainer } from './inspected.ts';
import { nameOf } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { filterOurs, LABEL } from './marks.ts';
import type { ClusterNetwork } from './network.ts';
import { parseDeletingName, podKey, sandboxName } from './names.ts';
import { fileVolumes, podMarks, sandboxBody } from './pod-config.ts';
import { prepareContainers, runPrepared } from './pod-containers.ts';
import type { Making, PodParts, Prepared } from './pod-containers.ts';
import { explainImage } from './system-containers.ts';
import { ensureVolumes, fillVolumes, readVolumeHashes, removeMemoryVolumes } from './volumes.ts';

/** A pod, and which of its containers are to run now. */
type MakePod = Pick<
  Extract<Step, { kind: 'repairPod' }> | Extract<Step, { kind: 'createPod' }>,
  'pod' | 'run'
> & { anew?: boolean };

/**
 * Makes the pod be as its spec says, from whatever there is of it: creates what lacks, starts what stopped, makes anew
 * what was altered. Done twice it is done once. False where nothing can be done yet: an image is on its way, a delay is not
 * over, or the pod that had the name before is not gone.
 */
export async function ensurePod(
  state: EngineState,
  network: ClusterNetwork,
  step: MakePod,
  signal: AbortSignal,
): Promise<boolean> {
  const { pod } = step;
  const key = podKey(pod);
  if (state.problems.isTooEarly(key) || state.terminations.isRunning(pod)) return false;
  const containers = pod.containers.filter(({ name }) => step.run.includes(name));
  const bringing = bringImages(state, pod, containers, signal);
  // Awaited below; a rejection before that is not unhandled.
  bringing.catch(() => {});
  const found = await findParts(state, pod, signal);
  if (found === undefined) return false;
  const parts = await discard(state, step, found, signal);
  if (parts === undefined) return true;
  const sandboxId = parts.sandbox?.Id ?? (await createSandbox(state, network, pod, signal));
  // Docker takes longest to start a sandbox: what goes into it is made meanwhile.
  const starting = runSandbox(state, pod, sandboxId, parts, signal);
  const making = { sandboxId, starting, containers: parts.containers };
  const [started, prepared] = await Promise.allSettled([
    starting,
    bringing.then((here) => prepare(state, pod, here, making, signal)),
  ]);
  if (started.status === 'rejected') {
    // Another program has a port of the host that it is to have.
    if (pod.hostPorts.length === 0 || !(started.reason instanceof DockerError))
      throw started.reason;
    const [first] = containers;
    state.problems.failed(key, first?.name ?? '', started.reason.message, 'FailedCreatePodSandBox');
    return true;
  }
  if (prepared.status === 'rejected') throw prepared.reason;
  const sandbox = started.value;
  const running = await Promise.all(
    prepared.value.map((container) => runPrepared(state, network, pod, sandbox, container, signal)),
  );
  const isWhole = running.length === containers.length && running.every((runs) => runs);
  if (isWhole) state.problems.clear(key);
  return true;
}

/** Writes changed files into a running pod. */
export async function writeVolume(
  state: EngineState,
  pod: { name: string; namespace: string },
  content: Parameters<typeof fillVolumes>[2][number],
  signal: AbortSignal,
): Promise<void> {
  const sandbox = await inspectContainer(
    state.context,
    sandboxName(state.context, pod.namespace, pod.name),
    signal,
  );
  // Gone meanwhile: the next look at the world says what to do instead.
  if (sandbox === undefined || sandbox.State.Status !== 'running') return;
  await fillVolumes(state.context, sandbox.Id, [content], signal);
  state.volumeHashes.add(sandbox, { [content.name]: content.hash });
}

/** None where the host's paths are not as they should be: that is looked at until the first container of the pod has started. */
async function prepare(
  state: EngineState,
  pod: PodSpec,
  containers: readonly ContainerSpec[],
  making: Making,
  signal: AbortSignal,
): Promise<Prepared[]> {
  const isNew = !making.containers.some(hasStarted);
  const wrong = isNew ? await checkHostPaths(state.context, pod, signal) : undefined;
  if (wrong === undefined) return prepareContainers(state, pod, containers, making, signal);
  state.problems.failed(podKey(pod), wrong.container, wrong.message, 'FailedMount');
  return [];
}

/** The containers whose images are here. */
async function bringImages(
  state: EngineState,
  pod: PodSpec,
  containers: readonly ContainerSpec[],
  signal: AbortSignal,
): Promise<ContainerSpec[]> {
  const key = podKey(pod);
  const here = await Promise.all(
    containers.map(async (container) => {
      const problem = await state.images.bring(`${key}/${container.name}`, container, signal);
      if (problem === undefined) return [container];
      state.problems.lacksImage(key, container, problem);
      return [];
    }),
  );
  return here.flat();
}

/** Absent while a pod of that name is still being deleted. */
async function findParts(
  state: EngineState,
  pod: PodSpec,
  signal: AbortSignal,
): Promise<PodParts | undefined> {
  const listed = await callDocker<ListedContainer[]>(state.context.docker, {
    method: 'GET',
    path: '/containers/json',
    query: {
      all: true,
      filters: filterOurs(state.context, {
        [LABEL.namespace]: pod.namespace,
        [LABEL.pod]: pod.name,
      }),
    },
    signal,
  });
  const isDeleting = listed.some((found) => parseDeletingName(nameOf(found)).since !== undefined);
  if (isDeleting) return undefined;
  const inspected = await Promise.all(
    listed.map(({ Id }) => inspectContainer(state.context, Id, signal)),
  );
  const found = inspected.filter((container) => container !== undefined);
  const sandbox = found.find((container) => labelsOf(container)[LABEL.role] === 'sandbox');
  return {
    ...(sandbox === undefined ? {} : { sandbox }),
    containers: found.filter((container) => labelsOf(container)[LABEL.role] === 'container'),
  };
}

async function createSandbox(
  state: EngineState,
  network: ClusterNetwork,
  pod: PodSpec,
  signal: AbortSignal,
): Promise<string> {
  const { context } = state;
  await ensureVolumes(context, pod, signal);
  const name = sandboxName(context, pod.namespace, pod.name);
  const expected = { ...podMarks(context, pod), [LABEL.role]: 'sandbox' };
  try {
    return await createContainer(
      context,
      name,
      sandboxBody(context, network, pod),
      expected,
      signal,
    );
  } catch (error) {
    throw explainImage(error, context.images.sandbox);
  }
}

/** What is left of the pod's parts; absent where it begins anew from another container than those of the step. */
async function discard(
  state: EngineState,
  { pod, run, anew = false }: MakePod,
  found: PodParts,
  signal: AbortSignal,
): Promise<PodParts | undefined> {
  const emptied = await discardEmptied(state, pod, found, signal);
  const isFirst = turnOf(pod).run.every((name) => run.includes(name));
  if (emptied) return anew || isFirst ? { containers: [] } : undefined;
  if (!anew) return found;
  await endAll(state, pod, found, signal);
  return { ...found, containers: [] };
}

async function endAll(
  { context, hooks }: EngineState,
  pod: PodSpec,
  { containers }: PodParts,
  signal: AbortSignal,
): Promise<void> {
  const leaving = containers.map((each) => leavingOf(each.Id, labelsOf(each)));
  await endContainers(context, hooks, leaving, pod, signal);
}

/**
 * Where Docker restarted a sandbox, its volumes in memory are empty, and Docker may have lost count of who uses them: it
 * then gives another, empty one to a container that starts later (seen with Docker 20.10). So such a pod is made anew but
 * for its volumes on disk, as Kubernetes does when a sandbox ends.
 */
async function discardEmptied(
  state: EngineState,
  pod: PodSpec,
  { sandbox, containers }: PodParts,
  signal: AbortSignal,
): Promise<boolean> {
  const { context } = state;
  // Containers start once the files are there: where none ever did, they are still to come.
  if (sandbox === undefined || !containers.some(hasStarted)) return false;
  if (!(await lostFiles(state, pod, sandbox, signal))) return false;
  await endAll(state, pod, { containers }, signal);
  await removeContainer(context, sandbox.Id, signal);
  await removeMemoryVolumes(context, pod, signal);
  return true;
}

/** Answers it running, with filled volumes; its containers may still be of the time before. */
async function runSandbox(
  state: EngineState,
  pod: PodSpec,
  id: string,
  { sandbox: found, containers }: PodParts,
  signal: AbortSignal,
): Promise<InspectedContainer> {
  if (found === undefined) await startContainer(state.context, id, signal);
  else await wakeSandbox(state, found, signal);
  const sandbox = await inspectContainer(state.context, id, signal);
  if (sandbox === undefined)
    throw new Error(`the sandbox of ${podKey(pod)} went away while it was made`);
  await fillLacking(state, pod, sandbox, found === undefined, signal);
  // Later containers find claims as those before them left them.
  if (!containers.some(hasStarted)) await ownClaims(state.context, pod, id, signal);
  return sandbox;
}

async function wakeSandbox(
  state: EngineState,
  found: InspectedContainer,
  signal: AbortSignal,
): Promise<void> {
  const { context } = state;
  const made = parseMade(labelsOf(found)[LABEL.made]);
  if (made !== undefined && findDrift(made, found).length > 0) {
    await undoDrift(context, found, made, signal);
  }
  if (found.State.Status === 'paused') await unpauseContainer(context, found.Id, signal);
  else if (found.State.Status !== 'running') await startContainer(context, found.Id, signal);
  state.inspections.forget(found.Id);
}

function hasStarted({ State }: InspectedContainer): boolean {
  return Date.parse(State.StartedAt) > 0;
}

async function lostFiles(
  { context }: EngineState,
  pod: PodSpec,
  sandbox: InspectedContainer,
  signal: AbortSignal,
): Promise<boolean> {
  const volumes = fileVolumes(pod);
  const { Status: status } = sandbox.State;
  if (volumes.length === 0 || status === 'paused') return false;
  if (status !== 'running') return true;
  const there = await readVolumeHashes(context, sandbox.Id, signal);
  return volumes.some(({ name }) => there[name] === undefined);
}

async function fillLacking(
  state: EngineState,
  pod: PodSpec,
  sandbox: InspectedContainer,
  isNew: boolean,
  signal: AbortSignal,
): Promise<void> {
  const wanted = fileVolumes(pod);
  if (wanted.length === 0) return;
  const there = isNew ? {} : await readVolumeHashes(state.context, sandbox.Id, signal);
  const lacking = wanted.filter(({ name, hash }) => there[name] !== hash);
  await fillVolumes(state.context, sandbox.Id, lacking, signal);
  const filled = Object.fromEntries(wanted.map(({ name, hash }) => [name, hash]));
  state.volumeHashes.add(sandbox, filled);
}
