import type { HostPath } from '#core/docker/kinds-volumes.ts';
import type { PodSpec, VolumeSpec } from '#core/docker/world.ts';

export type HostPathVolume = Extract<VolumeSpec, { kind: 'hostPath' }>;

/** What is at a path. */
export type PathKind = 'directory' | 'file' | 'socket' | 'charDevice' | 'blockDevice' | 'other';

const WANTED: Readonly<Record<Exclude<HostPath['type'], ''>, { kind: PathKind; words: string }>> = {
  Directory: { kind: 'directory', words: 'a directory' },
  DirectoryOrCreate: { kind: 'directory', words: 'a directory' },
  File: { kind: 'file', words: 'a file' },
  FileOrCreate: { kind: 'file', words: 'a file' },
  Socket: { kind: 'socket', words: 'a socket file' },
  CharDevice: { kind: 'charDevice', words: 'a character device' },
  BlockDevice: { kind: 'blockDevice', words: 'a block device' },
};

/** Docker makes a directory where there is nothing, as the kubelet and its runtime do for these. */
export function makesDirectory({ type }: HostPath): boolean {
  return type === '' || type === 'DirectoryOrCreate';
}

/** Why the path cannot be mounted, in the kubelet's words. */
export function typeProblem(
  { path, type }: HostPath,
  found: PathKind | undefined,
): string | undefined {
  if (type === '' || found === WANTED[type].kind) return undefined;
  return `hostPath type check failed: ${path} is not ${WANTED[type].words}`;
}

/** Paths whose type has to be looked at before the pod starts: those that a container mounts. */
export function pathsToCheck({ containers, volumes }: PodSpec): HostPathVolume[] {
  const mounted = new Set(containers.flatMap(({ mounts }) => mounts.map(({ volume }) => volume)));
  return volumes
    .filter((volume) => volume.kind === 'hostPath')
    .filter(({ name, type }) => type !== '' && mounted.has(name));
}
