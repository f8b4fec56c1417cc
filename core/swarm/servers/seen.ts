export type Role = 'manager' | 'worker';

/** A server as its file says. */
export interface DeclaredServer {
  name: string;
  role: Role;
  state: 'active' | 'drain' | 'absent';
  /** Where the others reach it. */
  advertise: string;
  labels: Readonly<Record<string, string>>;
  /** How Docker there is reached: for when it is in no file any more. */
  reach: string;
}

/** What Docker on a server says of itself. */
export interface SeenEngine {
  version: string;
  membership: 'out' | 'joining' | 'in' | 'broken' | 'locked';
  /** Of the node that it is, or believes to be. */
  nodeId?: string;
  /** What it advertises. */
  address?: string;
  /** It has a part in the swarm's consensus, or believes so. */
  isManager: boolean;
  /** Nodes that it takes for managers. */
  managers: readonly string[];
  /** Whose swarm it is in, as far as it can tell: one of this cluster's, and which generation; or somebody else's. */
  swarm?: { isOurs: boolean; generation: number };
  /** Since when its membership and its part in the consensus are as they are, as far as that was watched. */
  since: number;
  /** Docker's words. */
  trouble?: string;
}

export interface SeenServer {
  name: string;
  /** Absent where Docker does not answer. */
  engine?: SeenEngine;
  /** Why it does not, where that stays so until somebody mends it. */
  problem?: string;
  /** Its kernel is known to have no ESP, and what goes to other servers is to be encrypted. */
  lacksEsp?: true;
}

export interface SeenNode {
  id: string;
  hostname: string;
  address: string;
  role: Role;
  availability: 'active' | 'pause' | 'drain';
  state: 'ready' | 'down' | 'unknown' | 'disconnected';
  /** Of one that takes part in the consensus. */
  raft?: { isLeader: boolean; isReachable: boolean };
  labels: Readonly<Record<string, string>>;
  changedAt: number;
  version: string;
  /** Tasks of services there that are to run, or still do. */
  tasks: number;
}

/** The swarm as one of its managers tells it. */
export interface SeenSwarm {
  /** Server that told. */
  from: string;
  generation: number;
  nodes: readonly SeenNode[];
  /** Servers that were dead when they were taken out, and how they are reached. */
  left?: ReadonlyMap<string, string>;
  /** Tasks that should run and do not yet. */
  waitingTasks: number;
}

/** What serves on a server that takes no new tasks, and nowhere else, by the keys of its resources. */
export interface LeavingNode {
  /** Is about to serve elsewhere too. */
  waits: readonly string[];
  /** Cannot: it is away for a moment once the server is drained. */
  breaks: readonly string[];
  /** A proxy of a server that can be reached may lead there, and is about not to. */
  isLedTo?: true;
}

/** What runs on servers, as far as it matters to those that are to go. */
export type OnServers = Pick<Seen, 'leaving' | 'pinned'>;

export interface Seen {
  /** By the clock of the manager that told, where there is one. */
  now: number;
  servers: readonly SeenServer[];
  swarm?: SeenSwarm;
  /** By node, of those that were looked at since they take no new tasks; absent where nobody moves what runs there. */
  leaving?: ReadonlyMap<string, LeavingNode>;
  /** Keys of what runs on that node only, for its volumes, as last seen; absent where nobody looks. */
  pinned?: ReadonlyMap<string, readonly string[]> | 'unknown';
}
