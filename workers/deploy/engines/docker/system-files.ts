import { readFile } from '#adapters/docker/archive.ts';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { DockerContext } from './context.ts';
import { agrees, marks } from './marks.ts';
import { systemName } from './names.ts';
import { removeVolume, takenVolume, type ListedVolume } from './records.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import type { SystemRole } from './system-containers.ts';

/** Where the cluster's own containers find what they run with: a volume that they share, and no pod has. */
export const SYSTEM_FOLDER = '/windlass';

/** A folder of files for each of the cluster's own containers, which the proxy's sandbox writes. */
export interface SystemFiles {
  /** In the order given; each is there as a whole or not at all. */
  write(
    sandboxId: string,
    role: SystemRole,
    files: Record<string, string>,
    signal: AbortSignal,
  ): Promise<void>;
  /** A file of the container with that role; absent where there is none. */
  read(
    containerId: string,
    role: SystemRole,
    file: string,
    signal: AbortSignal,
  ): Promise<string | undefined>;
}

export function createSystemFiles(context: DockerContext, shell: SandboxShell): SystemFiles {
  return {
    async write(sandboxId, role, files, signal) {
      await shell.run(sandboxId, writeScript(systemFolder(role), files), signal);
    },
    read: (containerId, role, file, signal) =>
      readFile(context.docker, containerId, `${systemFolder(role)}/${file}`, signal),
  };
}

export function systemFolder(role: SystemRole): string {
  return `${SYSTEM_FOLDER}/${role}`;
}

/** The mount of the shared volume; only the sandbox writes there. */
export function systemMount(context: DockerContext, role: SystemRole): object {
  return {
    Type: 'volume',
    Source: volumeName(context),
    Target: SYSTEM_FOLDER,
    ReadOnly: role !== 'proxy-sandbox',
    VolumeOptions: { NoCopy: true },
  };
}

/** Of the sockets at which the edge listens. */
export function socketsMount(context: DockerContext, role: SystemRole, folder: string): object {
  return {
    Type: 'volume',
    Source: volumeName(context, 'edge-sockets'),
    Target: folder,
    ReadOnly: role !== 'edge',
    VolumeOptions: { NoCopy: true },
  };
}

/** Where Docker's host has the shared volume. */
export async function systemVolumeRoot(
  context: DockerContext,
  signal: AbortSignal,
): Promise<string> {
  const { Mountpoint } = await callDocker<{ Mountpoint: string }>(context.docker, {
    method: 'GET',
    path: `/volumes/${volumeName(context)}`,
    signal,
  });
  return Mountpoint;
}

export function isSystemMount(context: DockerContext, mount: { Name?: string }): boolean {
  return mount.Name === volumeName(context);
}

export async function ensureSystemVolume(
  context: DockerContext,
  volume: SystemVolume,
  signal: AbortSignal,
): Promise<void> {
  const labels = marks(context, volume);
  const made = await callDocker<ListedVolume>(context.docker, {
    method: 'POST',
    path: '/volumes/create',
    body: { Name: volumeName(context, volume), Driver: 'local', Labels: labels },
    signal,
  });
  if (!agrees(made.Labels, labels)) throw takenVolume(made.Name);
}

export async function removeSystemVolumes(
  context: DockerContext,
  signal: AbortSignal,
): Promise<void> {
  await removeSystemVolume(context, 'system-files', signal);
  await removeSystemVolume(context, 'edge-sockets', signal);
}

async function removeSystemVolume(
  context: DockerContext,
  volume: SystemVolume,
  signal: AbortSignal,
): Promise<void> {
  const name = volumeName(context, volume);
  try {
    const found = await callDocker<ListedVolume>(context.docker, {
      method: 'GET',
      path: `/volumes/${name}`,
      signal,
    });
    if (agrees(found.Labels, marks(context, volume))) await removeVolume(context, name, signal);
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}

type SystemVolume = 'system-files' | 'edge-sockets';

function volumeName(context: DockerContext, volume: SystemVolume = 'system-files'): string {
  return systemName(context, volume);
}

function writeScript(folder: string, files: Record<string, string>): string {
  const writes = Object.entries(files).map(([name, content]) => {
    const encoded = Buffer.from(content).toString('base64');
    return `base64 -d > .${name} <<'.'\n${encoded}\n.\nmv .${name} ${name}\n`;
  });
  return `mkdir -p ${folder}\ncd ${folder}\n${writes.join('')}`;
}
