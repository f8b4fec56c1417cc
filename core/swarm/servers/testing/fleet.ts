import { APPLICATIONS_LABEL, DRAINED_LABEL, SERVER_LABEL } from '../labels.ts';
import { consensusOf } from '../quorum.ts';
import type { DeclaredServer, LeavingNode, Seen, SeenEngine, SeenNode } from '../seen.ts';
import type { ServerStep } from '../step.ts';

const TASKS = 2;
const TOLD_MS = 1_000;

interface Machine {
  name: string;
  isOn: boolean;
  membership: SeenEngine['membership'];
  nodeId?: string;
  isManager: boolean;
  managers: string[];
  since: number;
}

interface Node {
  id: string;
  machine: string;
  role: 'manager' | 'worker';
  isMember: boolean;
  availability: SeenNode['availability'];
  labels: Record<string, string>;
  changedAt: number;
}

/** How Docker's Swarm behaves, as far as steps can tell: machines that die and come back, and one swarm. */
export class Fleet {
  now = 1_000_000;
  readonly machines = new Map<string, Machine>();
  nodes: Node[] = [];
  #made = 0;

  machine(name: string): Machine {
    const known = this.machines.get(name);
    if (known !== undefined) return known;
    const machine: Machine = {
      name,
      isOn: true,
      membership: 'out',
      isManager: false,
      managers: [],
      since: this.now,
    };
    this.machines.set(name, machine);
    return machine;
  }

  see(declared: readonly DeclaredServer[]): Seen {
    for (const { name } of declared) this.machine(name);
    const nodes = this.nodes.map((node) => this.#seenNode(node));
    const from = this.nodes.find((node) => node.isMember && this.#isAlive(node));
    const known = new Set([...declared.map(({ name }) => name), ...nodes.flatMap(serverOf)]);
    const paused = nodes.filter(({ availability }) => availability === 'pause');
    return {
      now: this.now,
      pinned: new Map(),
      leaving: new Map(paused.map((node) => [node.id, this.#left(node)])),
      servers: [...known].map((name) => this.#seenServer(name)),
      ...(from === undefined
        ? {}
        : {
            swarm: {
              from: from.machine,
              generation: 1,
              nodes,
              waitingTasks: nodes.some(takesApplications) ? 0 : 1,
            },
          }),
    };
  }

  /** Proxies are told a while after. */
  #left({ changedAt }: SeenNode): LeavingNode {
    const isLedTo = this.now - changedAt <= TOLD_MS;
    return { waits: [], breaks: [], ...(isLedTo ? { isLedTo } : {}) };
  }

  /** What goes on by itself. */
  pass(ms: number): void {
    this.now += ms;
    if (!consensusOf(this.nodes.map((node) => this.#seenNode(node))).hasQuorum) return;
    for (const node of this.nodes) {
      if (node.role === 'worker') node.isMember = false;
      else if (this.#isAlive(node)) node.isMember = true;
      if (this.#isAlive(node)) this.machine(node.machine).isManager = node.isMember;
    }
    const managers = this.nodes.filter(({ isMember }) => isMember).map(({ id }) => id);
    for (const machine of this.machines.values()) if (machine.isOn) this.#hear(machine, managers);
  }

  carryOut(step: ServerStep): void {
    const machine = this.machine(step.server);
    switch (step.kind) {
      case 'init':
        this.#enter(machine, 'manager');
        return;
      case 'join':
        this.#enter(machine, 'worker');
        return;
      case 'clean':
      case 'leave':
        this.reset(machine);
        return;
      case 'remove':
        this.nodes = this.nodes.filter(({ id }) => id !== step.node.id);
        return;
      case 'label':
        this.#change(step.node, { labels: { ...step.labels } });
        return;
      case 'promote':
        this.#change(step.node, { role: 'manager' });
        return;
      case 'demote':
        this.#change(step.node, { role: 'worker' });
        return;
      case 'activate':
        this.#change(step.node, { availability: 'active' });
        return;
      case 'pause':
        this.#change(step.node, { availability: 'pause' });
        return;
      case 'drain': {
        const noted = step.forGood ? { [DRAINED_LABEL]: String(this.now) } : {};
        this.#change(step.node, {
          availability: 'drain',
          labels: { ...step.node.labels, ...noted },
        });
      }
    }
  }

  /** It forgets every swarm. */
  reset(machine: Machine): void {
    machine.membership = 'out';
    delete machine.nodeId;
    machine.isManager = false;
    machine.managers = [];
    machine.since = this.now;
  }

  /** A join that answered too late, and goes on. */
  joinHalf(name: string): void {
    const machine = this.machine(name);
    machine.membership = 'joining';
    machine.since = this.now;
  }

  /** Whether its disk can be lost without the swarm being lost with it. */
  canWipe(machine: Machine): boolean {
    const members = this.nodes.filter(({ isMember }) => isMember);
    // One that is being demoted counts now, and soon does not.
    const staying = members.filter(({ role }) => role === 'manager');
    return this.#bearsLossOf(machine, members) && this.#bearsLossOf(machine, staying);
  }

  #bearsLossOf(machine: Machine, members: readonly Node[]): boolean {
    const intact = members.filter(
      (node) => node.machine !== machine.name && this.machine(node.machine).nodeId === node.id,
    );
    const isMember = members.some((node) => node.machine === machine.name);
    return !isMember || intact.length * 2 > members.length;
  }

  #enter(machine: Machine, role: 'manager' | 'worker'): void {
    this.#made += 1;
    const id = `node${this.#made}`;
    const isMember = role === 'manager';
    machine.membership = 'in';
    machine.nodeId = id;
    machine.isManager = isMember;
    this.nodes.push({
      id,
      machine: machine.name,
      role,
      isMember,
      availability: 'active',
      labels: {},
      changedAt: this.now,
    });
    machine.managers = this.nodes.flatMap((node) => (node.isMember ? [node.id] : []));
  }

  #change(seen: SeenNode, to: Partial<Node>): void {
    const node = this.nodes.find(({ id }) => id === seen.id);
    if (node !== undefined) Object.assign(node, to, { changedAt: this.now });
  }

  #hear(machine: Machine, managers: string[]): void {
    const isKnown = this.nodes.some(({ id }) => id === machine.nodeId);
    if (isKnown) machine.managers = managers;
    else if (machine.nodeId !== undefined) machine.membership = 'joining';
  }

  #isAlive(node: Node): boolean {
    const machine = this.machine(node.machine);
    return machine.isOn && machine.nodeId === node.id;
  }

  #seenNode(node: Node): SeenNode {
    const isAlive = this.#isAlive(node);
    const seen: SeenNode = {
      id: node.id,
      hostname: node.machine,
      address: addressOf(node.machine),
      role: node.role,
      availability: node.availability,
      state: isAlive ? 'ready' : 'down',
      labels: node.labels,
      changedAt: node.changedAt,
      version: '20.10',
      tasks: 0,
      ...(node.isMember ? { raft: { isLeader: false, isReachable: isAlive } } : {}),
    };
    return { ...seen, tasks: holdsApplications(seen) ? TASKS : 0 };
  }

  #seenServer(name: string): Seen['servers'][number] {
    const machine = this.machine(name);
    if (!machine.isOn) return { name };
    const { membership, nodeId, isManager, managers, since } = machine;
    return {
      name,
      engine: {
        version: '20.10',
        membership,
        isManager,
        managers,
        since,
        ...(nodeId === undefined ? {} : { nodeId, address: addressOf(name) }),
      },
    };
  }
}

export function addressOf(name: string): string {
  return `10.0.0.${name.slice(1)}`;
}

function serverOf({ labels }: SeenNode): string[] {
  const name = labels[SERVER_LABEL];
  return name === undefined ? [] : [name];
}

function takesApplications(node: SeenNode): boolean {
  return holdsApplications(node) && node.availability === 'active';
}

function holdsApplications({ state, availability, labels }: SeenNode): boolean {
  return state === 'ready' && availability !== 'drain' && labels[APPLICATIONS_LABEL] === 'true';
}
