import { makesDirectory } from '#core/docker/host-paths.ts';
import type { HostPathVolume } from '#core/docker/host-paths.ts';
import type { ContainerSpec, PodSpec } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import { partName } from './names.ts';

/** What Docker mounts, in the words of its API: only `Binds` make a directory where there is nothing. */
interface Mounts {
  Mounts: object[];
  Binds: string[];
}

type Mount = ContainerSpec['mounts'][number];

/** The volumes of one container of the pod. */
export function mountsOf(
  context: DockerContext,
  pod: PodSpec,
  { mounts }: Pick<ContainerSpec, 'mounts'>,
): Mounts {
  const paths = new Map(
    pod.volumes.flatMap((volume) =>
      volume.kind === 'hostPath' ? [[volume.name, volume] as const] : [],
    ),
  );
  const all = mounts.map((mount) => {
    const path = paths.get(mount.volume);
    return path === undefined
      ? { Mounts: [volumeMount(context, pod, mount)], Binds: [] }
      : hostMount(path, mount);
  });
  return {
    Mounts: all.flatMap((each) => each.Mounts),
    Binds: all.flatMap((each) => each.Binds),
  };
}

/** A path of the host. */
export function hostMount(
  volume: HostPathVolume,
  { path, readOnly }: Pick<Mount, 'path' | 'readOnly'>,
): Mounts {
  if (makesDirectory(volume))
    return { Mounts: [], Binds: [`${volume.path}:${path}:${readOnly ? 'ro' : 'rw'}`] };
  return {
    Mounts: [{ Type: 'bind', Source: volume.path, Target: path, ReadOnly: readOnly }],
    Binds: [],
  };
}

function volumeMount(context: DockerContext, pod: PodSpec, mount: Mount): object {
  return {
    Type: 'volume',
    Source: partName(context, pod, mount.volume),
    Target: mount.path,
    ReadOnly: mount.readOnly,
    VolumeOptions: { NoCopy: true },
  };
}
