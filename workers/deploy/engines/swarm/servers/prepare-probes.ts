import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { hasImage, pullImage } from '#adapters/docker/pull.ts';
import { needsProbes } from '#core/swarm/health-check.ts';
import { placeProbes } from '../probes.ts';
import type { ProbesContext } from '../probes.ts';

/**
 * Brings to a server that is to join what asks tasks how they are, where some of the swarm need it: tasks may be begun
 * there as soon as it is in.
 */
export async function prepareProbes(
  manager: Docker,
  context: ProbesContext,
  readCredentials: ReadCredentials,
  signal: AbortSignal,
): Promise<void> {
  const path = '/services';
  const services = await callDocker<{ Spec: object }[] | null>(manager, {
    method: 'GET',
    path,
    signal,
  });
  if (services?.some(({ Spec }) => needsProbes(Spec)) !== true) return;
  await placeProbes(context, bring, signal);

  async function bring(image: string): Promise<void> {
    const { docker } = context;
    if (await hasImage(docker, image, signal)) return;
    await pullImage(docker, image, await readCredentials(image), signal);
  }
}
