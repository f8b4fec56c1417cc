import type { OwnerKey } from '#core/owner.ts';
import type { SeenNode } from '#core/swarm/servers/seen.ts';

/** What Swarm's scheduler goes by, of a whole swarm: also of services that are not ours. */
export interface Fleet {
  nodes: readonly FleetNode[];
  services: readonly FleetService[];
  tasks: readonly FleetTask[];
}

export interface FleetNode extends SeenNode {
  /** As its file calls it; of a node that no server is, its host's name. */
  server: string;
  platform: Platform;
  engineLabels: Readonly<Record<string, string>>;
  capacity: Amounts;
}

/** In Docker's words: `linux` and `x86_64`, or `amd64`. */
export interface Platform {
  os: string;
  architecture: string;
}

export interface Amounts {
  nanoCpus: number;
  memoryBytes: number;
}

export interface FleetService {
  id: string;
  /** Key of a resource of ours, e.g. `Deployment/default/web`; of somebody else's its name. */
  name: string;
  /** Of ours. */
  owner?: OwnerKey;
  kind: 'replicated' | 'global' | 'job';
  reserves: Amounts;
  /** As Swarm takes them: `node.labels.disk==ssd`. */
  constraints: readonly string[];
  /** Labels over whose values it is spread, outermost first: `node.labels.zone`. */
  spreads: readonly string[];
  /** Of its image; empty: all do. */
  platforms: readonly Platform[];
  /** Of a server's own, e.g. `tcp/80`. */
  hostPorts: readonly string[];
  /** 0: no limit. */
  mostPerNode: number;
}

/** A task that takes room on a node, or is to. */
export interface FleetTask {
  service: string;
  slot: string;
  /** Empty before it has one. */
  node: string;
  /** Swarm wants it to run; else it is ending, and holds what it reserved until then. */
  isWanted: boolean;
}
