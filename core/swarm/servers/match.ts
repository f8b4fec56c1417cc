import { REACH_LABEL, SERVER_LABEL } from './labels.ts';
import type { DeclaredServer, SeenEngine, SeenNode, SeenServer } from './seen.ts';

/** A server, with all that is known of it. */
export interface Member {
  name: string;
  /** Absent where it is in no file any more. */
  declared?: DeclaredServer;
  engine?: SeenEngine;
  node?: SeenNode;
  /** Nodes that it was before: another machine, or another life of it. */
  leftovers: readonly SeenNode[];
}

export interface Matched {
  members: readonly Member[];
  /** Nodes of no server. */
  strangers: readonly SeenNode[];
}

/**
 * Which node is which server: what Docker there says of itself first, then the node's label, or the way in which it is
 * reached where that name is in no file any more, and of a node without one, as after a join that was cut off, its address.
 */
export function match(
  declared: readonly DeclaredServer[],
  servers: readonly SeenServer[],
  nodes: readonly SeenNode[],
): Matched {
  const byName = new Map(declared.map((server) => [server.name, server]));
  const engines = new Map(servers.map(({ name, engine }) => [name, engine]));
  const owners = new Map(nodes.map((node) => [node.id, ownerOf(node)]));

  function ownerOf(node: SeenNode): string | undefined {
    const label = node.labels[SERVER_LABEL];
    if (label !== undefined && byName.has(label) && isClaimedBy(label, node)) return label;
    const claims = servers.map(({ name }) => name).filter((name) => isClaimedBy(name, node));
    const claim = claims.find((name) => byName.has(name));
    if (claim !== undefined) return claim;
    if (label !== undefined && byName.has(label)) return label;
    // Of a server that is in no file: under another name it may be declared, and only not answer now.
    if (claims[0] !== undefined) return claims[0];
    if (label === undefined)
      return declared.find(({ advertise }) => advertise === node.address)?.name;
    return declared.find(({ reach }) => reach === node.labels[REACH_LABEL])?.name ?? label;
  }

  /** Docker there believes to be that node. */
  function isClaimedBy(name: string, { id }: SeenNode): boolean {
    const engine = engines.get(name);
    return engine?.nodeId === id && engine.membership !== 'out';
  }

  const labelled = nodes.flatMap((node) => owners.get(node.id) ?? []);
  const all = [...new Set([...byName.keys(), ...servers.map(({ name }) => name), ...labelled])];
  return {
    members: all.map((name) =>
      memberOf(
        name,
        byName.get(name),
        engines.get(name),
        nodes.filter((node) => owners.get(node.id) === name),
      ),
    ),
    strangers: nodes.filter((node) => owners.get(node.id) === undefined),
  };
}

function memberOf(
  name: string,
  declared: DeclaredServer | undefined,
  engine: SeenEngine | undefined,
  nodes: readonly SeenNode[],
): Member {
  const isGoing = declared === undefined || declared.state === 'absent';
  // What is to go goes by its node, also when its server has left already.
  const node =
    engine === undefined || (isGoing && !nodes.some(({ id }) => id === engine.nodeId))
      ? nodes.toSorted((a, b) => Number(a.state !== 'ready') - Number(b.state !== 'ready'))[0]
      : nodes.find(({ id }) => id === engine.nodeId && engine.membership !== 'out');
  return {
    name,
    ...(declared === undefined ? {} : { declared }),
    ...(engine === undefined ? {} : { engine }),
    ...(node === undefined ? {} : { node }),
    leftovers: nodes.filter((one) => one !== node),
  };
}
