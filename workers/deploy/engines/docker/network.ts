import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { callDocker, DockerError, isStatus } from '#adapters/docker/call.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import { agrees, marks } from './marks.ts';
import { suffix } from './names.ts';
import { candidateSubnets, layoutOf, routedSubnets, type NetworkLayout } from './subnets.ts';

const OVERLAP = /overlap/i;
/** For what must go also where the work was given up. */
const CLEANUP_MS = 10_000;

export interface ClusterNetwork extends NetworkLayout {
  id: string;
  name: string;
  /** Other servers are on it too, and each has the address of its own proxy beside one that it is given. */
  shared?: true;
}

interface InspectedNetwork {
  Id: string;
  Name: string;
  Labels: Record<string, string> | null;
  IPAM: { Config: { Subnet?: string }[] | null };
}

/** The cluster's network as it is; absent where there is none yet. */
export async function findNetwork(
  context: DockerContext,
  signal: AbortSignal,
): Promise<ClusterNetwork | undefined> {
  const name = suffix(context);
  try {
    const found = await callDocker<InspectedNetwork>(context.docker, {
      method: 'GET',
      path: `/networks/${name}`,
      signal,
    });
    if (!agrees(found.Labels, marks(context, 'network'))) throw taken(name);
    return { id: found.Id, name, ...layoutOf(found.IPAM.Config?.[0]?.Subnet ?? '') };
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Makes the cluster's network if it is not there, on the declared subnet or the first free candidate. */
export async function ensureNetwork(
  context: DockerContext,
  declared: string | undefined,
  signal: AbortSignal,
): Promise<ClusterNetwork> {
  const found = await findNetwork(context, signal);
  if (found !== undefined) return found;
  for (const subnet of await candidates(context, declared, signal)) {
    if (await createNetwork(context, layoutOf(subnet), declared !== undefined, signal)) {
      const made = await findNetwork(context, signal);
      if (made !== undefined) return made;
    }
  }
  throw new UserError(
    'conflict',
    `no free subnet was found for the network of cluster ${context.cluster}`,
    {
      hint: 'Declare one in the Cluster: spec.network.subnet',
    },
  );
}

async function candidates(
  context: DockerContext,
  declared: string | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  if (declared !== undefined) return [declared];
  return context.isRemote ? [await dockersChoice(context, signal)] : freeSubnets(context, signal);
}

/** What Docker itself takes where it may choose: it sees which networks its host is on. */
async function dockersChoice(context: DockerContext, signal: AbortSignal): Promise<string> {
  await removeLeftChoice(context, signal);
  const { Id } = await callDocker<{ Id: string }>(context.docker, {
    method: 'POST',
    path: '/networks/create',
    body: {
      Name: choiceName(context),
      Driver: 'bridge',
      Labels: marks(context, 'network'),
    },
    signal,
  });
  const path = `/networks/${Id}`;
  try {
    const { IPAM } = await callDocker<InspectedNetwork>(context.docker, {
      method: 'GET',
      path,
      signal,
    });
    return IPAM.Config?.[0]?.Subnet ?? '';
  } finally {
    const own = AbortSignal.timeout(CLEANUP_MS);
    await callDocker(context.docker, { method: 'DELETE', path, signal: own });
  }
}

function choiceName(context: DockerContext): string {
  return `${suffix(context)}-choice`;
}

/** A worker that was killed before it could remove it leaves one; an older Docker takes the name more than once. */
async function removeLeftChoice(context: DockerContext, signal: AbortSignal): Promise<void> {
  const name = choiceName(context);
  const networks = await callDocker<InspectedNetwork[]>(context.docker, {
    method: 'GET',
    path: '/networks',
    query: { filters: JSON.stringify({ name: [name] }) },
    signal,
  });
  for (const { Id, Name, Labels } of networks) {
    if (Name !== name) continue;
    if (!agrees(Labels, marks(context, 'network'))) throw taken(name);
    try {
      await callDocker(context.docker, { method: 'DELETE', path: `/networks/${Id}`, signal });
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }
}

/** The subnet a network would get, for a plan that must not make one. */
export async function foreseeLayout(
  context: DockerContext,
  declared: string | undefined,
  signal: AbortSignal,
): Promise<NetworkLayout> {
  const [first] = declared === undefined ? await freeSubnets(context, signal) : [declared];
  return layoutOf(first ?? '10.88.0.0/16');
}

export async function removeNetwork(context: DockerContext, signal: AbortSignal): Promise<void> {
  if (context.isRemote) await removeLeftChoice(context, signal);
  const found = await findNetwork(context, signal);
  if (found === undefined) return;
  try {
    await callDocker(context.docker, { method: 'DELETE', path: `/networks/${found.id}`, signal });
  } catch (error) {
    // Somebody else's container is on it (403), or it is gone: either way it is not ours to remove now.
    if (!isStatus(error, 404) && !isStatus(error, 403)) throw error;
  }
}

/** False where the subnet turned out to be taken and another may be tried. */
async function createNetwork(
  context: DockerContext,
  layout: NetworkLayout,
  isDeclared: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await callDocker(context.docker, {
      method: 'POST',
      path: '/networks/create',
      body: {
        Name: suffix(context),
        CheckDuplicate: true,
        Driver: 'bridge',
        IPAM: {
          Config: [{ Subnet: layout.subnet, IPRange: layout.podRange, Gateway: layout.gateway }],
        },
        Labels: marks(context, 'network'),
      },
      signal,
    });
    return true;
  } catch (error) {
    if (isStatus(error, 409)) return true;
    if (!(error instanceof DockerError) || !OVERLAP.test(error.message)) throw error;
    if (!isDeclared) return false;
    throw new UserError(
      'conflict',
      `cluster ${context.cluster}: the subnet ${layout.subnet} meets another network: ${messageOf(error)}`,
      { hint: 'Declare a free one in spec.network.subnet, or leave it out' },
    );
  }
}

async function freeSubnets(context: DockerContext, signal: AbortSignal): Promise<string[]> {
  const networks = await callDocker<InspectedNetwork[]>(context.docker, {
    method: 'GET',
    path: '/networks',
    signal,
  });
  const docker = networks.flatMap(({ IPAM }) =>
    (IPAM.Config ?? []).map(({ Subnet }) => Subnet ?? ''),
  );
  // Of another host only Docker's own networks are known.
  const host = context.isRemote ? [] : await hostSubnets();
  return candidateSubnets(
    [...docker, ...host].filter((cidr) => /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(cidr)),
  );
}

async function hostSubnets(): Promise<string[]> {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return [...addresses.map(({ cidr }) => cidr ?? ''), ...routedSubnets(await readRoutes())];
}

/** Empty on a host that has no such file. */
async function readRoutes(): Promise<string> {
  try {
    return await readFile('/proc/net/route', 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

function taken(name: string): UserError {
  return new UserError('conflict', `the network ${name} was not made by this installation`, {
    hint: `Remove it (docker network rm ${name}) or name the cluster otherwise`,
  });
}
