import { join } from 'node:path/posix';
import { makesDirectory } from '#core/docker/host-paths.ts';
import type { HostPathVolume } from '#core/docker/host-paths.ts';
import type { ContainerSpec, Mount, PodSpec } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import { volumeName } from './names.ts';

/** What Docker mounts, in the words of its API: only `Binds` make a directory where there is nothing. */
interface Mounts {
  Mounts: object[];
  Binds: string[];
}

type BindMount = Pick<Mount, 'path' | 'readOnly' | 'propagation'>;

/**
 * The volumes of one container of the pod, and the file of its last words, both where they are on the host; of volumes
 * only those that Docker mounts whole are there.
 */
export function mountsOf(
  context: DockerContext,
  pod: PodSpec,
  container: Pick<ContainerSpec, 'mounts' | 'lastWords'>,
  host: { volumeRoots: ReadonlyMap<string, string>; lastWords: string },
): Mounts {
  const paths = new Map(
    pod.volumes.flatMap((volume) =>
      volume.kind === 'hostPath' ? [[volume.name, volume] as const] : [],
    ),
  );
  const { mounts, lastWords } = container;
  const all = mounts.map((mount) => {
    const path = paths.get(mount.volume);
    const root = path?.path ?? host.volumeRoots.get(mount.volume);
    if (root !== undefined && mount.subPath !== undefined)
      return bind(join(root, mount.subPath), mount);
    if (path !== undefined) return hostMount(path, mount);
    return { Mounts: [volumeMount(context, pod, mount)], Binds: [] };
  });
  // A volume there is the container's own word for it.
  if (!mounts.some(({ path }) => path === lastWords.path))
    all.push(bind(host.lastWords, { path: lastWords.path, readOnly: false }));
  return {
    Mounts: all.flatMap((each) => each.Mounts),
    Binds: all.flatMap((each) => each.Binds),
  };
}

/** A path of the host. */
export function hostMount(volume: HostPathVolume, mount: BindMount): Mounts {
  if (!makesDirectory(volume)) return bind(volume.path, mount);
  const { path, readOnly } = mount;
  const options = [readOnly ? 'ro' : 'rw', ...propagationOf(mount)].join(',');
  return { Mounts: [], Binds: [`${volume.path}:${path}:${options}`] };
}

function bind(source: string, mount: BindMount): Mounts {
  const { path: Target, readOnly: ReadOnly } = mount;
  const [Propagation] = propagationOf(mount);
  const options = Propagation === undefined ? {} : { BindOptions: { Propagation } };
  return { Mounts: [{ Type: 'bind', Source: source, Target, ReadOnly, ...options }], Binds: [] };
}

/** None where Docker's own will do, which is private but for its own folders. */
function propagationOf({ propagation }: BindMount): string[] {
  if (propagation === undefined) return [];
  return [propagation === 'both' ? 'rshared' : 'rslave'];
}

function volumeMount(context: DockerContext, pod: PodSpec, mount: Mount): object {
  return {
    Type: 'volume',
    Source: volumeName(context, pod, mount.volume),
    Target: mount.path,
    ReadOnly: mount.readOnly,
    VolumeOptions: {
      NoCopy: true,
      ...(mount.subPath === undefined ? {} : { Subpath: mount.subPath }),
    },
  };
}
