import { dirname } from 'node:path/posix';
import { packArchive, type ArchiveEntry } from '#adapters/docker/archive.ts';
import { callDocker } from '#adapters/docker/call.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import type { PodSpec, VolumeFile } from '#core/docker/world.ts';
import { checkClaim } from './claims.ts';
import type { DockerContext } from './context.ts';
import { agrees } from './marks.ts';
import { partName } from './names.ts';
import { FILES_FOLDER, ownVolumes, volumeBody, volumeMarks } from './pod-config.ts';
import { removeVolume, takenVolume, type ListedVolume } from './records.ts';

/** The files of one ConfigMap or Secret volume. */
export interface VolumeContent {
  name: string;
  files: Record<string, VolumeFile>;
  hash: string;
}

/** In each volume; no key of a ConfigMap can start with two dots. */
const HASH_FILE = '..hash';

/**
 * As the kubelet does it: the files go into a folder of their own, and one rename of the link `..data` shows them all at
 * once. What a reader sees are links through `..data`.
 */
const FILL_SCRIPT = `
set -e
cd ${FILES_FOLDER}
tar x
while [ $# -gt 0 ]; do
  new="..$2"
  cd "${FILES_FOLDER}/$1"
  ln -snf "$new" ..data_next
  mv -fT ..data_next ..data
  for file in "$new"/* "$new"/.[!.]*; do
    name="\${file##*/}"
    if [ -e "$file" ] && [ ! -L "$name" ]; then ln -s "..data/$name" "$name"; fi
  done
  for name in * .[!.]*; do
    if [ -L "$name" ] && [ ! -e "$name" ]; then rm "$name"; fi
  done
  for old in ..?*; do
    if [ -d "$old" ] && [ ! -L "$old" ] && [ "$old" != "$new" ]; then rm -rf "$old"; fi
  done
  printf %s "$2" > ${HASH_FILE}
  shift 2
done
`;

const READ_SCRIPT = `
cd ${FILES_FOLDER}
for volume in *; do
  if [ -f "$volume/${HASH_FILE}" ]; then echo "$volume $(cat "$volume/${HASH_FILE}")"; fi
done
`;

/** Makes the pod's volumes where they are not there yet. */
export async function ensureVolumes(
  context: DockerContext,
  pod: PodSpec,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([
    ...pod.volumes.flatMap((volume) =>
      volume.kind === 'claim' ? [checkClaim(context, { ...pod, name: volume.claim }, signal)] : [],
    ),
    ...ownVolumes(pod).map(async (volume) => {
      const made = await callDocker<ListedVolume>(context.docker, {
        method: 'POST',
        path: '/volumes/create',
        body: volumeBody(context, pod, volume),
        signal,
      });
      if (!agrees(made.Labels, volumeMarks(context, pod, volume.name)))
        throw takenVolume(made.Name);
    }),
  ]);
}

/** Those on disk stay. Nothing may use them any more. */
export async function removeMemoryVolumes(
  context: DockerContext,
  pod: PodSpec,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    ownVolumes(pod)
      .filter((volume) => volume.kind === 'files' || volume.memory)
      .map((volume) => removeVolume(context, partName(context, pod, volume.name), signal)),
  );
}

/** Puts new content into volumes of a running sandbox; readers see all of it or nothing of it. */
export async function fillVolumes(
  context: DockerContext,
  sandboxId: string,
  volumes: readonly VolumeContent[],
  signal: AbortSignal,
): Promise<void> {
  if (volumes.length === 0) return;
  const result = await runInContainer(
    context.docker,
    {
      container: sandboxId,
      command: [
        'sh',
        '-c',
        FILL_SCRIPT,
        'sh',
        ...volumes.flatMap(({ name, hash }) => [name, hash]),
      ],
      input: await packArchive(volumes.flatMap(archiveOf)),
    },
    signal,
  );
  if (result.exitCode !== 0) {
    throw new Error(`volumes could not be written in ${sandboxId}: ${result.stderr.trim()}`);
  }
}

/** Hashes of what is in the volumes of a running sandbox; one that is empty is absent. */
export async function readVolumeHashes(
  context: DockerContext,
  sandboxId: string,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const { stdout } = await runInContainer(
    context.docker,
    { container: sandboxId, command: ['sh', '-c', READ_SCRIPT] },
    signal,
  );
  const lines = stdout.split('\n').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => line.split(' ') as [string, string]));
}

function archiveOf({ name, files, hash }: VolumeContent): ArchiveEntry[] {
  const root = `${name}/..${hash}`;
  const folders = new Set<string>();
  const [{ group } = {}] = Object.values(files);
  // What is made in a folder of a group is the group's too.
  const owned = group === undefined ? { mode: 0o755 } : { mode: 0o2755, group };
  for (const path of Object.keys(files)) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [
    { kind: 'directory', path: root, ...owned },
    ...[...folders].toSorted().map((folder): ArchiveEntry => {
      return { kind: 'directory', path: `${root}/${folder}`, ...owned };
    }),
    ...Object.entries(files).map(([path, { content, ...rest }]): ArchiveEntry => {
      return {
        kind: 'file',
        path: `${root}/${path}`,
        content: Buffer.from(content, 'base64'),
        ...rest,
      };
    }),
  ];
}
