import { callDocker, DockerError } from '#adapters/docker/call.ts';
import type { ContainerSpec, PodSpec } from '#core/docker/world.ts';
import {
  createContainer,
  labelsOf,
  removeContainer,
  restartContainer,
  startContainer,
  stopContainer,
  undoDrift,
} from './containers.ts';
import { findDrift, parseMade } from './drift.ts';
import type { EngineState } from './engine-state.ts';
import type { InspectedContainer, ListedContainer } from './inspected.ts';
import { nameOf } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { filterOurs, LABEL } from './marks.ts';
import type { ClusterNetwork } from './network.ts';
import { parseDeletingName, partName, podKey, sandboxName } from './names.ts';
import { containerBody, fileVolumes, podMarks, sandboxBody } from './pod-config.ts';
import { explainImage } from './system-containers.ts';
import { ensureVolumes, fillVolumes, readVolumeHashes } from './volumes.ts';

/** What there is of a pod. */
interface PodParts {
  sandbox?: InspectedContainer;
  containers: InspectedContainer[];
}

/**
 * Makes the pod be as its spec says, from whatever there is of it: creates what lacks, starts what stopped, makes anew
 * what was altered. Done twice it is done once. False where nothing can be done yet: an image is on its way, a delay is not
 * over, or the pod that had the name before is not gone.
 */
export async function ensurePod(
  state: EngineState,
  network: ClusterNetwork,
  pod: PodSpec,
  signal: AbortSignal,
): Promise<boolean> {
  const key = podKey(pod);
  if (state.problems.isTooEarly(key) || state.terminations.isRunning(pod)) return false;
  const bringing = bringImages(state, pod, signal);
  // Awaited below; a rejection before that is not unhandled.
  bringing.catch(() => {});
  const parts = await findParts(state, pod, signal);
  if (parts === undefined) return false;
  const sandbox = await ensureSandbox(state, network, pod, parts, signal);
  const lacking = await bringing;
  const known = new Map(parts.containers.map((found) => [labelsOf(found)[LABEL.container], found]));
  const results = await Promise.all(
    pod.containers.map((container) =>
      lacking.has(container.name)
        ? Promise.resolve(undefined)
        : tryContainer(state, pod, container, sandbox, known.get(container.name), signal),
    ),
  );
  if (lacking.size === 0 && results.every((failure) => failure === undefined)) {
    state.problems.clear(key);
  }
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

async function bringImages(
  state: EngineState,
  pod: PodSpec,
  signal: AbortSignal,
): Promise<Set<string>> {
  const key = podKey(pod);
  const lacking = new Set<string>();
  await Promise.all(
    pod.containers.map(async (container) => {
      const problem = await state.images.bring(`${key}/${container.name}`, container, signal);
      if (problem === undefined) return;
      lacking.add(container.name);
      state.problems.lacksImage(key, container, problem);
    }),
  );
  return lacking;
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

/** A running sandbox with filled volumes; its containers may still be of the time before. */
async function ensureSandbox(
  state: EngineState,
  network: ClusterNetwork,
  pod: PodSpec,
  { sandbox: found }: PodParts,
  signal: AbortSignal,
): Promise<InspectedContainer> {
  const { context } = state;
  const name = sandboxName(context, pod.namespace, pod.name);
  if (found !== undefined) await wakeSandbox(state, found, signal);
  else {
    await ensureVolumes(context, pod, signal);
    const body = sandboxBody(context, network, pod);
    const expected = { ...podMarks(context, pod), [LABEL.role]: 'sandbox' };
    try {
      const id = await createContainer(context, name, body, expected, signal);
      await startContainer(context, id, signal);
    } catch (error) {
      throw explainImage(error, context.images.sandbox);
    }
  }
  const sandbox = await inspectContainer(context, name, signal);
  if (sandbox === undefined) throw new Error(`the sandbox ${name} went away while it was made`);
  await fillLacking(state, pod, sandbox, found === undefined, signal);
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
  if (found.State.Status === 'paused') await unpause(state, found.Id, signal);
  else if (found.State.Status !== 'running') await startContainer(context, found.Id, signal);
  state.inspections.forget(found.Id);
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

/** Answers what Docker refused; that is the pod's problem and no error of the pass. */
async function tryContainer(
  state: EngineState,
  pod: PodSpec,
  container: ContainerSpec,
  sandbox: InspectedContainer,
  found: InspectedContainer | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await ensureContainer(state, pod, container, sandbox, found, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    state.problems.failed(podKey(pod), container.name, error.message);
    return error.message;
  } finally {
    if (found !== undefined) state.inspections.forget(found.Id);
  }
}

async function ensureContainer(
  state: EngineState,
  pod: PodSpec,
  container: ContainerSpec,
  sandbox: InspectedContainer,
  found: InspectedContainer | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { context } = state;
  if (found !== undefined && (await reviveContainer(state, pod, sandbox, found, signal))) return;
  if (found !== undefined) {
    await stopContainer(context, found.Id, pod.graceSeconds, signal);
    await removeContainer(context, found.Id, signal);
  }
  const name = partName(context, pod, container.name);
  const expected = {
    ...podMarks(context, pod),
    [LABEL.role]: 'container',
    [LABEL.container]: container.name,
  };
  const body = containerBody(context, pod, container, sandbox.Id);
  const id = await createContainer(context, name, body, expected, signal);
  await startContainer(context, id, signal);
}

/** False where it has to be made anew. */
async function reviveContainer(
  state: EngineState,
  pod: PodSpec,
  sandbox: InspectedContainer,
  found: InspectedContainer,
  signal: AbortSignal,
): Promise<boolean> {
  const { context } = state;
  if (found.HostConfig.NetworkMode !== `container:${sandbox.Id}`) return false;
  const made = parseMade(labelsOf(found)[LABEL.made]);
  if (made === undefined) return false;
  if (findDrift(made, found).length > 0 && !(await undoDrift(context, found, made, signal))) {
    return false;
  }
  const { Status: status, StartedAt: startedAt } = found.State;
  if (status === 'dead' || status === 'removing') return false;
  if (status === 'paused') await unpause(state, found.Id, signal);
  if (status === 'exited' || status === 'created') await startContainer(context, found.Id, signal);
  else if (Date.parse(startedAt) < Date.parse(sandbox.State.StartedAt)) {
    // It runs on in the network namespace that the sandbox had before.
    await restartContainer(context, found.Id, pod.graceSeconds, signal);
  }
  return true;
}

async function unpause(state: EngineState, id: string, signal: AbortSignal): Promise<void> {
  await callDocker(state.context.docker, {
    method: 'POST',
    path: `/containers/${id}/unpause`,
    signal,
  });
}
