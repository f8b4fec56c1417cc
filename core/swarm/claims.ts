import type { Workload } from '#core/docker/workload.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import { placementOf } from '#core/swarm/placement.ts';
import type { SaysPlacement } from '#core/swarm/placement.ts';
import { meets, whyNotTaking } from '#core/swarm/simulate/fits.ts';
import type { FleetNode } from '#core/swarm/simulate/fleet.ts';
import { claimKey, inWords } from '#core/docker/claims.ts';
import type { PersistentVolumeClaim } from '#core/docker/kinds-claim.ts';
import type { ResourceStatus } from '#core/engine.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { SwarmClaim, SwarmStep, SwarmWorld } from '#core/swarm/world.ts';

/**
 * Claims to volumes on servers. INVARIANT: where a volume is made is recorded before it is, and a pod runs nowhere else:
 * while its server is away the pod waits, and is not begun anew with an empty volume on another one.
 */
export interface PodClaims {
  /** The node that all volumes of the pod are on, or are to be made on; absent where it has none. */
  node?: string;
  /** Makes those that are not there. */
  steps: SwarmStep[];
  /** Why the pod cannot run now. */
  why?: string;
  /** False where there is no one server for it. */
  isPlaced: boolean;
}

export function claimsFor(workload: Workload, owner: OwnerKey, world: SwarmWorld): PodClaims {
  const namespace = workload.metadata.namespace ?? 'default';
  const names = claimNames(workload);
  if (names.length === 0) return { steps: [], isPlaced: true };
  const there = world.claims.filter(
    (claim) => claim.namespace === namespace && names.includes(claim.name),
  );
  const why = whyNowhere(there, owner);
  if (why !== undefined) return { steps: [], isPlaced: false, why };
  const [first] = there;
  const home = first === undefined ? undefined : nodeIdOf(first);
  const known = world.nodes.find(({ id }) => id === home);
  const node = first === undefined ? chooseNode(workload, names, world) : (known ?? goneOf(first));
  if (node === undefined)
    return {
      steps: [],
      isPlaced: false,
      why: 'no server is ready that its volumes may be made on',
    };
  const lacking = names
    .filter((name) => !there.some((claim) => claim.name === name))
    .map((name) => ({ name, namespace, owner }));
  const moved = there.filter((claim) => claim.node !== node.id);
  return {
    node: node.id,
    isPlaced: true,
    steps: [...moved, ...lacking].map(({ name }) => ({
      kind: 'createClaim',
      owner,
      claim: { name, namespace, owner, node: node.id, server: node.server },
    })),
    ...hindranceOf(first, known),
  };
}

/** Why there is no server that the pod can run on, whatever becomes of servers. */
function whyNowhere(there: readonly SwarmClaim[], owner: OwnerKey): string | undefined {
  const [first] = there;
  const taken = there.find((claim) => claim.owner !== owner);
  if (taken !== undefined)
    return `its volume ${taken.name} holds what ${taken.owner} left on server ${taken.server}: rename the claim, or give that up`;
  const elsewhere = there.find((claim) => nodeIdOf(claim) !== (first && nodeIdOf(first)));
  if (first === undefined || elsewhere === undefined) return undefined;
  return `its volumes are on several servers: ${first.name} on ${first.server}, ${elsewhere.name} on ${elsewhere.server}`;
}

function nodeIdOf({ node, foundOn = node }: SwarmClaim): string {
  return foundOn;
}

function goneOf(claim: SwarmClaim): Pick<FleetNode, 'id' | 'server'> {
  return { id: nodeIdOf(claim), server: claim.server };
}

/** Of a pod whose volumes are there already. */
function hindranceOf(
  claim: SwarmClaim | undefined,
  node: FleetNode | undefined,
): Pick<PodClaims, 'why'> {
  if (claim === undefined) return {};
  const how = node === undefined ? 'it is not in the swarm any more' : whyNotTaking(node);
  if (how === undefined) return {};
  const { name, server } = claim;
  return { why: `its volume ${name} is on server ${server}, and ${how}: it waits for that server` };
}

function claimNames({ spec }: Workload): string[] {
  const named = spec.template.spec.volumes.flatMap(
    ({ persistentVolumeClaim: claim }) => claim?.claimName ?? [],
  );
  return [...new Set(named)];
}

/** Of the servers that take the pod, one with the fewest volumes. */
function chooseNode(
  { spec }: Workload,
  names: readonly string[],
  { nodes, claims }: SwarmWorld,
): FleetNode | undefined {
  const { Constraints } = placementOf(spec.template.spec as SaysPlacement);
  const [chosen] = nodes
    .filter((node) => whyNotTaking(node) === undefined)
    .filter((node) => Constraints.every((each) => meets(node, each)))
    .map((node) => ({
      node,
      count: claims.filter((claim) => claim.node === node.id).length,
      order: contentHash({ names, server: node.server }),
    }))
    .toSorted((one, other) => one.count - other.count || (one.order < other.order ? -1 : 1));
  return chosen?.node;
}

/** Bound to where its volume is, which is made with the first pod that mounts it. */
export function claimStatus(resource: Resource, claims: readonly SwarmClaim[]): ResourceStatus {
  const key = keyOf(resource);
  const bound = claims.find((claim) => claimKey(claim) === key);
  const { storage } = (resource as unknown as PersistentVolumeClaim).spec.resources.requests;
  const how =
    bound === undefined ? 'Pending, waits for a pod that mounts it' : `Bound on ${bound.server}`;
  return {
    key,
    health: { status: 'Healthy', reason: '' },
    summary: `${how}, asks for ${inWords(storage)} (Docker sets no limit)`,
  };
}
