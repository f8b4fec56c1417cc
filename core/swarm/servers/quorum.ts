import type { SeenNode, SeenServer } from './seen.ts';

export interface Consensus {
  members: readonly SeenNode[];
  reachable: readonly SeenNode[];
  hasQuorum: boolean;
}

export function consensusOf(nodes: readonly SeenNode[]): Consensus {
  const members = nodes.filter(({ raft }) => raft !== undefined);
  const reachable = members.filter(({ raft }) => raft?.isReachable === true);
  return { members, reachable, hasQuorum: reachable.length * 2 > members.length };
}

/** Managers that answer, and those that they know of: where no manager tells of the swarm. */
export function countManagers(servers: readonly SeenServer[]): { answer: number; all: number } {
  const managers = servers.flatMap(({ engine }) => (engine?.isManager === true ? [engine] : []));
  const inside = new Set(managers.flatMap(({ nodeId }) => nodeId ?? []));
  const known = new Set([...inside, ...managers.flatMap((engine) => engine.managers)]);
  return { answer: inside.size, all: known.size };
}

/** Why the node cannot stop being a manager; absent where it can. */
export function canLose(nodes: readonly SeenNode[], node: SeenNode): string | undefined {
  const { members, hasQuorum } = consensusOf(nodes.filter(({ id }) => id !== node.id));
  if (members.length === 0) return 'it is the last manager';
  return hasQuorum ? undefined : 'quorum would be lost: too few of the other managers answer';
}
