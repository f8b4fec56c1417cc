import { callDocker } from '#adapters/docker/call.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import type { ContainerSpec, Mount, PodSpec } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import { runOnHostPath } from './host-paths.ts';
import { volumeName } from './names.ts';
import { volumeFolder } from './pod-config.ts';

/** From this version on Docker itself mounts a part of a volume, and holds on to what it looked at. */
const KNOWS_SUBPATH = 1.45;

/** Makes a folder with the mode of the volume where there is nothing. Whatever links are on the way must stay inside. */
const SUB_PATH_SCRIPT = `
umask "$(printf %o $((0777 & ~0$(stat -c %a "$1"))))"
[ -e "$1/$2" ] || mkdir -p "$1/$2" || exit 1
case "$(realpath "$1/$2")/" in
  "$1"/*) ;;
  *) echo "$2 leads out of the volume" >&2; exit 1 ;;
esac
`;

type MountOfPart = Mount & { subPath: string };

/** Has the parts of volumes be there that the container mounts, as the kubelet does; the sandbox runs. Answers what is wrong. */
export async function makeSubPaths(
  context: DockerContext,
  pod: PodSpec,
  container: ContainerSpec,
  sandboxId: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const mount of partsIn(container)) {
    const said = await makeSubPath(context, pod, container.name, mount, sandboxId, signal);
    if (said === undefined) continue;
    const { volume } = mount;
    return `failed to prepare subPath for volumeMount "${volume}" of container "${container.name}": ${said}`;
  }
  return undefined;
}

/** The folders of the host in which Docker keeps volumes, for those of which it cannot mount a part by itself. */
export async function volumeRootsOf(
  context: DockerContext,
  pod: PodSpec,
  container: ContainerSpec,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const volumes = pod.volumes.filter(
    ({ name, kind }) =>
      kind !== 'hostPath' && partsIn(container).some(({ volume }) => volume === name),
  );
  if (volumes.length === 0 || (await knowsSubPath(context, signal))) return new Map();
  const roots = volumes.map(async ({ name }) => {
    const { Mountpoint } = await callDocker<{ Mountpoint: string }>(context.docker, {
      method: 'GET',
      path: `/volumes/${volumeName(context, pod, name)}`,
      signal,
    });
    return [name, Mountpoint] as const;
  });
  return new Map(await Promise.all(roots));
}

export function hasSubPaths(container: ContainerSpec): boolean {
  return partsIn(container).length > 0;
}

function partsIn({ mounts }: ContainerSpec): MountOfPart[] {
  return mounts.flatMap((mount) =>
    mount.subPath === undefined ? [] : [{ ...mount, subPath: mount.subPath }],
  );
}

async function makeSubPath(
  context: DockerContext,
  pod: PodSpec,
  container: string,
  mount: MountOfPart,
  sandboxId: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const volume = pod.volumes.find(({ name }) => name === mount.volume);
  if (volume === undefined) return undefined;
  if (volume.kind === 'hostPath') {
    const script = { container, script: SUB_PATH_SCRIPT, args: [mount.subPath] };
    return runOnHostPath(context, pod, volume, script, signal);
  }
  const { exitCode, stderr } = await runInContainer(
    context.docker,
    {
      container: sandboxId,
      command: ['sh', '-c', SUB_PATH_SCRIPT, 'sh', volumeFolder(volume), mount.subPath],
    },
    signal,
  );
  return exitCode === 0 ? undefined : stderr.trim();
}

async function knowsSubPath({ docker }: DockerContext, signal: AbortSignal): Promise<boolean> {
  const { ApiVersion } = await callDocker<{ ApiVersion: string }>(docker, {
    method: 'GET',
    path: '/version',
    signal,
  });
  return Number(ApiVersion) >= KNOWS_SUBPATH;
}
