import type { SeenNode } from './seen.ts';

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

/** Why the node cannot stop being a manager; absent where it can. */
export function canLose(nodes: readonly SeenNode[], node: SeenNode): string | undefined {
  const { members, hasQuorum } = consensusOf(nodes.filter(({ id }) => id !== node.id));
  if (members.length === 0) return 'it is the last manager';
  return hasQuorum ? undefined : 'quorum would be lost: too few of the other managers answer';
}
