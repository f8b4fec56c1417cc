import type Docker from 'dockerode';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { UserError } from '#core/errors.ts';
import { MARK, marksOf } from '#core/swarm/marks.ts';
import { probesVolume } from '#core/swarm/names.ts';
import { agrees } from '../docker/marks.ts';
import type { BringImage } from '../docker/system-containers.ts';
import type { SwarmContext } from './context.ts';

/** What they are placed with, on a server by its own Docker. */
export type ProbesContext = Pick<SwarmContext, 'docker' | 'cluster' | 'installation' | 'images'>;

/** As Docker lists it. */
export interface ListedContainer {
  Image: string;
  /** `exited`, and so on. */
  State: string;
  /** `Exited (0) 3 minutes ago` */
  Status: string;
  Labels: Record<string, string>;
}

const FOLDER = '/probes';
/** As a whole or not at all: tasks may run what is there. A folder with nothing else tells whether it needs libraries. */
const FILL = `
set -e
cp /bin/busybox ${FOLDER}/.new
chmod 755 ${FOLDER}/.new
mv -f ${FOLDER}/.new ${FOLDER}/busybox
chroot ${FOLDER} /busybox true
`;
const FILL_MS = 60_000;

/** Whether a container of the server says that its volume is filled: one that has done it, and stays for that. */
export function saysFilled(
  { images }: Pick<ProbesContext, 'images'>,
  { Image, State, Status, Labels }: ListedContainer,
): boolean {
  const isOurs = Labels[MARK.role] === 'probes';
  return isOurs && Image === images.probe && State === 'exited' && Status.startsWith('Exited (0)');
}

/**
 * Fills the volume from which tasks on the server take the program that asks them. What it was filled by stays, ended: so
 * it is known, and no `docker volume prune` takes the volume.
 *
 * @throws UserError where the image's program needs libraries, and what `bring` throws
 */
export async function placeProbes(
  context: ProbesContext,
  bring: BringImage,
  signal: AbortSignal,
): Promise<void> {
  const { docker, images } = context;
  const name = probesVolume(context);
  const Labels = marksOf(context, 'probes');
  const volume = await callDocker<{ Labels: Record<string, string> | null }>(docker, {
    method: 'POST',
    path: '/volumes/create',
    body: { Name: name, Driver: 'local', Labels },
    signal,
  });
  // One that Swarm made for a task which was there first says nothing of whose it is.
  const isOthers = Object.keys(volume.Labels ?? {}).length > 0 && !agrees(volume.Labels, Labels);
  if (isOthers) throw new UserError('conflict', `the volume ${name} is somebody else's`);
  await bring(images.probe, signal);
  await removeContainer(docker, name, signal);
  await callDocker(docker, {
    method: 'POST',
    path: '/containers/create',
    query: { name },
    body: {
      Image: images.probe,
      Entrypoint: ['/bin/busybox'],
      Cmd: ['sh', '-c', FILL],
      Labels,
      HostConfig: {
        NetworkMode: 'none',
        Mounts: [{ Type: 'volume', Source: name, Target: FOLDER, VolumeOptions: { NoCopy: true } }],
      },
    },
    signal,
  });
  await callDocker(docker, { method: 'POST', path: `/containers/${name}/start`, signal });
  const { StatusCode } = await callDocker<{ StatusCode: number }>(docker, {
    method: 'POST',
    path: `/containers/${name}/wait`,
    timeoutMs: FILL_MS,
    signal,
  });
  if (StatusCode === 0) return;
  throw new UserError(
    'invalid-input',
    `the BusyBox of ${images.probe} does not run by itself, so that it cannot ask tasks how they are`,
    { hint: 'WINDLASS_PROBE_IMAGE names one that needs no libraries, as busybox:1.36-musl' },
  );
}

/** Not while a task has it. */
export async function removeProbes(context: ProbesContext, signal: AbortSignal): Promise<void> {
  const name = probesVolume(context);
  await removeContainer(context.docker, name, signal);
  try {
    await callDocker(context.docker, { method: 'DELETE', path: `/volumes/${name}`, signal });
  } catch (error) {
    if (!isStatus(error, 404) && !isStatus(error, 409)) throw error;
  }
}

async function removeContainer(docker: Docker, name: string, signal: AbortSignal): Promise<void> {
  try {
    const query = { force: true };
    await callDocker(docker, { method: 'DELETE', path: `/containers/${name}`, query, signal });
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}
