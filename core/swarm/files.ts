import type { ContainerSpec, VolumeSpec } from '#core/docker/world.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import { fileName } from '#core/swarm/names.ts';
import type { ConfigMount, SecretMount, SwarmFile } from '#core/swarm/service.ts';

/** Replaces a value by a stand-in: equal for equal values, and telling nothing of them. */
export type Seal = (value: string) => string;

export interface MountedFiles {
  files: SwarmFile[];
  configs: ConfigMount[];
  secrets: SecretMount[];
}

interface Owner {
  place: SwarmPlace;
  owner: OwnerKey;
  seal: Seal;
}

/**
 * Every file of the container's volumes, as a config or a secret that is mounted at its path. `secret` tells which
 * volumes hold Secrets.
 */
export function filesOf(
  container: Pick<ContainerSpec, 'mounts'>,
  volumes: readonly VolumeSpec[],
  secret: ReadonlySet<string>,
  { place, owner, seal }: Owner,
): MountedFiles {
  const mounted: MountedFiles = { files: [], configs: [], secrets: [] };
  for (const { volume: name, path: folder } of container.mounts) {
    const volume = volumes.find((each) => each.name === name);
    if (volume?.kind !== 'files') continue;
    for (const [path, { content, mode, group }] of Object.entries(volume.files)) {
      const kind = secret.has(name) ? 'secret' : 'config';
      const file = {
        kind,
        name: fileName(place, owner, seal(`${kind} ${content}`)),
        content,
      } as const;
      const File = {
        Name: `${folder.replace(/\/$/, '')}/${path}`,
        UID: '0',
        GID: String(group ?? 0),
        Mode: mode,
      };
      mounted.files.push(file);
      if (kind === 'secret') mounted.secrets.push({ SecretName: file.name, File });
      else mounted.configs.push({ ConfigName: file.name, File });
    }
  }
  return {
    files: [...new Map(mounted.files.map((file) => [file.name, file])).values()],
    configs: byPath(mounted.configs),
    secrets: byPath(mounted.secrets),
  };
}

function byPath<Mount extends { File: { Name: string } }>(mounts: readonly Mount[]): Mount[] {
  return mounts.toSorted((one, other) => (one.File.Name < other.File.Name ? -1 : 1));
}
