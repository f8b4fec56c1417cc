import { basename, dirname } from 'node:path/posix';
import { readFile, statPath } from '#adapters/docker/archive.ts';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { tailLogs } from '#adapters/docker/logs.ts';
import { pathsToCheck, typeProblem } from '#core/docker/host-paths.ts';
import type { HostPathVolume, PathKind } from '#core/docker/host-paths.ts';
import type { PodSpec } from '#core/docker/world.ts';
import { createContainer, removeContainer, startContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import { LABEL, marks } from './marks.ts';
import { hostMount } from './mounts.ts';
import { partName } from './names.ts';
import { LOG_CONFIG } from './pod-config.ts';

const TARGET = '/windlass/host';
const SCRIPT_MS = 30_000;
const LINES = 3;

/** Bits of Go's `os.FileMode`. */
const KINDS: readonly (readonly [bit: number, kind: PathKind])[] = [
  [31, 'directory'],
  [21, 'charDevice'],
  [26, 'blockDevice'],
  [24, 'socket'],
  [25, 'other'],
  [19, 'other'],
];

/** The first of the pod's paths that is not what its type says. */
export async function checkHostPaths(
  context: DockerContext,
  pod: PodSpec,
  signal: AbortSignal,
): Promise<{ container: string; message: string } | undefined> {
  for (const volume of pathsToCheck(pod)) {
    const problem = await checkPath(context, pod, volume, signal);
    if (problem === undefined) continue;
    const user = pod.containers.find(({ mounts }) =>
      mounts.some((mount) => mount.volume === volume.name),
    );
    return {
      container: user?.name ?? '',
      message: `MountVolume.SetUp failed for volume "${volume.name}": ${problem}`,
    };
  }
  return undefined;
}

async function checkPath(
  context: DockerContext,
  pod: PodSpec,
  volume: HostPathVolume,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await kindOf(context, pod, volume, signal);
  if (found !== undefined || volume.type !== 'FileOrCreate') return typeProblem(volume, found);
  const problem = await makeFile(context, pod, volume, signal);
  return problem ?? typeProblem(volume, await kindOf(context, pod, volume, signal));
}

/**
 * Docker, which may be on another host, is asked: it mounts the path into a container that never starts, and tells what
 * is there. Absent where there is nothing.
 */
async function kindOf(
  context: DockerContext,
  pod: PodSpec,
  volume: HostPathVolume,
  signal: AbortSignal,
): Promise<PathKind | undefined> {
  const mounts = hostMount(volume, { path: TARGET, readOnly: true });
  return withHelper(
    context,
    pod,
    { part: volume.name, mounts, command: [] },
    signal,
    async (id) => {
      const stat = id === undefined ? id : await statPath(context.docker, id, TARGET, signal);
      return stat && kindOfMode(stat.mode);
    },
  );
}

/** Empty, and only where there is none, in a folder that has to be there. */
async function makeFile(
  context: DockerContext,
  pod: PodSpec,
  volume: HostPathVolume,
  signal: AbortSignal,
): Promise<string | undefined> {
  const folder: HostPathVolume = { ...volume, path: dirname(volume.path), type: 'Directory' };
  const script = 'umask 0133; : >> "$1/$2"';
  const args = [basename(volume.path)];
  const problem = await runOnHostPath(context, pod, folder, { script, args }, signal);
  return problem && `open ${volume.path}: ${problem}`;
}

/** The text of a file of the host; absent where there is none. */
export async function readHostFile(
  context: DockerContext,
  pod: PodSpec,
  { path, part }: { path: string; part: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const volume = { name: part, kind: 'hostPath', path, type: 'File' } as const;
  const helper = { part, mounts: hostMount(volume, { path: TARGET, readOnly: true }), command: [] };
  return withHelper(context, pod, helper, signal, async (id) =>
    id === undefined ? id : readFile(context.docker, id, TARGET, signal),
  );
}

interface HostScript {
  /** Which container of the pod it is for. */
  container?: string;
  script: string;
  /** After the folder in which the script finds the path. */
  args: readonly string[];
}

/** Runs a script with root's rights on a path of the host. Answers what it says where it fails. */
export async function runOnHostPath(
  context: DockerContext,
  pod: PodSpec,
  volume: HostPathVolume,
  { container = '', script, args }: HostScript,
  signal: AbortSignal,
): Promise<string | undefined> {
  const mounts = hostMount(volume, { path: TARGET, readOnly: false });
  const command = ['sh', '-c', script, 'sh', TARGET, ...args];
  const helper = { part: `${volume.name}_${container}`, mounts, command };
  return withHelper(context, pod, helper, signal, async (id) => {
    if (id === undefined) return 'no such file or directory';
    await startContainer(context, id, signal);
    const { StatusCode } = await callDocker<{ StatusCode: number }>(context.docker, {
      method: 'POST',
      path: `/containers/${id}/wait`,
      timeoutMs: SCRIPT_MS,
      signal,
    });
    if (StatusCode === 0) return undefined;
    return (await tailLogs(context.docker, id, { lines: LINES }, signal)).join('; ');
  });
}

interface Helper {
  part: string;
  mounts: object;
  command: readonly string[];
}

/** Without an id where there is nothing at the path. One that is left behind goes with the pod. */
async function withHelper<T>(
  context: DockerContext,
  pod: PodSpec,
  { part, mounts, command }: Helper,
  signal: AbortSignal,
  work: (id: string | undefined) => Promise<T>,
): Promise<T> {
  const labels = {
    ...marks(context, 'host-path'),
    [LABEL.namespace]: pod.namespace,
    [LABEL.pod]: pod.name,
  };
  // No container of the pod can have an underscore in its name.
  const name = partName(context, pod, `host-path_${part}`);
  await removeContainer(context, name, signal);
  const body = {
    Image: context.images.sandbox,
    Entrypoint: command,
    Cmd: [],
    User: '0',
    Labels: labels,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: { NetworkMode: 'none', LogConfig: LOG_CONFIG, ...mounts },
  };
  const id = await createContainer(context, name, body, labels, signal).catch(whereMissing);
  try {
    return await work(id);
  } finally {
    if (id !== undefined) await removeContainer(context, id, signal);
  }
}

function whereMissing(error: unknown): undefined {
  if (!isStatus(error, 400) || !/source path does not exist/.test(String(error))) throw error;
}

function kindOfMode(mode: number): PathKind {
  const kind = KINDS.find(([bit]) => Math.floor(mode / 2 ** bit) % 2 === 1);
  return kind?.[1] ?? 'file';
}
