import { readFile } from '#adapters/docker/archive.ts';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { DockerContext } from './context.ts';
import { agrees, marks } from './marks.ts';
import { systemName } from './names.ts';
import { removeVolume, takenVolume, type ListedVolume } from './records.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import type { SystemRole } from './system-containers.ts';

/** Where the cluster's own containers find what they run with: a volume that they share, and no pod has. */
const FOLDER = '/windlass';

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
    write: (sandboxId, role, files, signal) =>
      shell.run(sandboxId, writeScript(systemFolder(role), files), signal),
    read: (containerId, role, file, signal) =>
      readFile(context.docker, containerId, `${systemFolder(role)}/${file}`, signal),
  };
}

export function systemFolder(role: SystemRole): string {
  return `${FOLDER}/${role}`;
}

/** The mount of the shared volume; only the sandbox writes there. */
export function systemMount(context: DockerContext, role: SystemRole): object {
  return {
    Type: 'volume',
    Source: volumeName(context),
    Target: FOLDER,
    ReadOnly: role !== 'proxy-sandbox',
    VolumeOptions: { NoCopy: true },
  };
}

export function isSystemMount(context: DockerContext, mount: { Name?: string }): boolean {
  return mount.Name === volumeName(context);
}

export async function ensureSystemVolume(
  context: DockerContext,
  signal: AbortSignal,
): Promise<void> {
  const labels = marks(context, 'system-files');
  const made = await callDocker<ListedVolume>(context.docker, {
    method: 'POST',
    path: '/volumes/create',
    body: { Name: volumeName(context), Driver: 'local', Labels: labels },
    signal,
  });
  if (!agrees(made.Labels, labels)) throw takenVolume(made.Name);
}

export async function removeSystemVolume(
  context: DockerContext,
  signal: AbortSignal,
): Promise<void> {
  const name = volumeName(context);
  try {
    const found = await callDocker<ListedVolume>(context.docker, {
      method: 'GET',
      path: `/volumes/${name}`,
      signal,
    });
    if (agrees(found.Labels, marks(context, 'system-files')))
      await removeVolume(context, name, signal);
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}

function volumeName(context: DockerContext): string {
  return systemName(context, 'system-files');
}

function writeScript(folder: string, files: Record<string, string>): string {
  const writes = Object.entries(files).map(([name, content]) => {
    const encoded = Buffer.from(content).toString('base64');
    return `base64 -d > .${name} <<'.'\n${encoded}\n.\nmv .${name} ${name}\n`;
  });
  return `mkdir -p ${folder}\ncd ${folder}\n${writes.join('')}`;
}
