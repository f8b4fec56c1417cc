import { callDocker, DockerError, isStatus } from '#adapters/docker/call.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { MARK, marksOf } from '#core/swarm/marks.ts';
import { networkName } from '#core/swarm/names.ts';
import { agrees } from '../docker/marks.ts';
import type { ClusterNetwork } from '../docker/network.ts';
import { candidateSubnets, layoutOf } from '../docker/subnets.ts';
import type { SwarmContext } from './context.ts';
import { serverName } from './listed.ts';
import type { ListedAttachment, ListedNode } from './listed.ts';

export type SwarmNetwork = ClusterNetwork & { shared: true; encrypted: boolean };

export interface DeclaredNetwork {
  subnet: string | undefined;
  /** What goes from server to server. */
  encrypted: boolean;
}

const ENCRYPTED = 'encrypted';

interface InspectedNetwork {
  Id: string;
  Labels: Record<string, string> | null;
  IPAM: { Config: { Subnet?: string }[] | null };
  Options?: Record<string, string> | null;
}

/** The cluster's overlay network; absent where there is none yet. */
export async function findNetwork(
  context: SwarmContext,
  signal: AbortSignal,
): Promise<SwarmNetwork | undefined> {
  const name = networkName(context);
  try {
    const path = `/networks/${name}`;
    const found = await callDocker<InspectedNetwork>(context.docker, {
      method: 'GET',
      path,
      signal,
    });
    if (!agrees(found.Labels, marksOf(context, 'network')))
      throw new UserError('conflict', `the network ${name} was not made by this installation`, {
        hint: `Remove it (docker network rm ${name}) or name the cluster otherwise`,
      });
    const layout = layoutOf(found.Labels?.[MARK.subnet] ?? '');
    return { id: found.Id, name, shared: true, encrypted: isEncrypted(found), ...layout };
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Tasks have addresses of its lower half; containers of each server may join it too. */
export async function ensureNetwork(
  context: SwarmContext,
  { subnet, encrypted }: DeclaredNetwork,
  signal: AbortSignal,
): Promise<SwarmNetwork> {
  const found = await findNetwork(context, signal);
  if (found !== undefined) {
    checkEncryption(found, encrypted);
    return found;
  }
  const layout = layoutOf(subnet ?? (await freeSubnet(context, signal)));
  try {
    await callDocker(context.docker, {
      method: 'POST',
      path: '/networks/create',
      body: {
        Name: networkName(context),
        CheckDuplicate: true,
        Driver: 'overlay',
        Attachable: true,
        Options: encrypted ? { [ENCRYPTED]: '' } : {},
        IPAM: {
          Config: [{ Subnet: layout.subnet, IPRange: layout.podRange, Gateway: layout.gateway }],
        },
        // Swarm itself tells it only some time later.
        Labels: { ...marksOf(context, 'network'), [MARK.subnet]: layout.subnet },
      },
      signal,
    });
  } catch (error) {
    if (!isStatus(error, 409)) throw error;
  }
  const made = await findNetwork(context, signal);
  if (made === undefined) throw new Error("the cluster's network went away while it was made");
  return made;
}

/** Docker encrypts a network from its beginning or never. */
function checkEncryption({ name, encrypted }: SwarmNetwork, wanted: boolean): void {
  if (encrypted === wanted) return;
  const [is, ought] = encrypted ? ['is', 'not to be'] : ['is not', 'to be'];
  throw new UserError(
    'conflict',
    `spec.network.encrypted: the network ${name} ${is} encrypted and ought ${ought}: Docker cannot change that`,
    {
      hint: 'put it back as it was; or delete what runs on the cluster, so that the network is made anew, and release it again',
    },
  );
}

function isEncrypted({ Options }: InspectedNetwork): boolean {
  return Object.hasOwn(Options ?? {}, ENCRYPTED);
}

/** Answers why it stays where somebody is on it still; a later pass looks again. */
export async function removeNetwork(
  context: SwarmContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await findNetwork(context, signal);
  if (found === undefined) return undefined;
  try {
    await callDocker(context.docker, { method: 'DELETE', path: `/networks/${found.id}`, signal });
  } catch (error) {
    if (isStatus(error, 403) || isStatus(error, 400)) return messageOf(error);
    if (!isStatus(error, 404) && !isGone(error)) throw error;
  }
  return undefined;
}

/** Docker names the task of a container that is on the network, which nothing else lists: who that is. */
export async function userOf(
  { docker }: SwarmContext,
  why: string,
  signal: AbortSignal,
): Promise<string> {
  const task = /in use by task (\w+)/.exec(why)?.[1];
  if (task === undefined) return why;
  const get = { method: 'GET', signal } as const;
  const filters = JSON.stringify({ runtime: ['attachment'], id: [task] });
  try {
    const tasks = await callDocker<ListedAttachment[] | null>(docker, {
      ...get,
      path: '/tasks',
      query: { filters },
    });
    const nodes = await callDocker<ListedNode[]>(docker, { ...get, path: '/nodes' });
    const { NodeID, Spec } = tasks?.[0] ?? {};
    const node = nodes.find(({ ID }) => ID === NodeID);
    const container = Spec?.NetworkAttachmentSpec?.ContainerID.slice(0, 12);
    if (node === undefined || container === undefined) return why;
    return `container ${container} of server ${serverName(node)} is on it: if it stays, remove it, or restart Docker there where Docker has none any more`;
  } catch {
    signal.throwIfAborted();
    return why;
  }
}

/** Swarm forgets a network before the server's own Docker does, which answers 500. */
function isGone(error: unknown): boolean {
  return error instanceof DockerError && /network \S+ not found/.test(error.message);
}

async function freeSubnet(context: SwarmContext, signal: AbortSignal): Promise<string> {
  const networks = await callDocker<InspectedNetwork[]>(context.docker, {
    method: 'GET',
    path: '/networks',
    signal,
  });
  const inUse = networks
    .flatMap(({ IPAM }) => (IPAM.Config ?? []).map(({ Subnet }) => Subnet ?? ''))
    .filter((cidr) => /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(cidr));
  const [first] = candidateSubnets(inUse);
  if (first !== undefined) return first;
  throw new UserError('conflict', `no free subnet was found for cluster ${context.cluster}`, {
    hint: 'Declare one in the Cluster: spec.network.subnet',
  });
}
