import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { contentHash } from '#core/hash.ts';
import { keyOf } from '#core/resources/resource.ts';
import { decide } from '#core/swarm/decide.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import type { FleetNode } from '#core/swarm/simulate/fleet.ts';
import type {
  LiveService,
  LiveTask,
  ServerProxies,
  SwarmStep,
  SwarmWorld,
} from '#core/swarm/world.ts';

const MOST_ROUNDS = 20;
export const RULES = {
  place: { cluster: 'c', installation: 'i' },
  seal: (value: string): string => `sealed-${contentHash(value)}`,
  endpointMode: 'dnsrr' as const,
  declared: true,
};

/** An update that waits so long goes on when it is told. */
const UNTIL_TOLD = 1e15;

/** A swarm in memory, in which every task runs as soon as it is wanted. */
export interface SimulatedSwarm {
  world: SwarmWorld;
  now: number;
  /** Whether tasks of that service end with 1. */
  fails: (spec: ServiceSpec) => boolean;
  jobsEnd: boolean;
  /** Whether new tasks are ready at once, of those that have a readiness probe. */
  startsReady: boolean;
  /** What was done until nothing was to be done, by its kind, and how the first owner stands then. */
  settle(desired: readonly DesiredState[]): { done: SwarmStep[]; owners: OwnerStatus[] };
}

export function simulateSwarm(): SimulatedSwarm {
  let ids = 0;
  const swarm: SimulatedSwarm = {
    world: {
      records: [],
      services: [],
      tasks: [],
      files: [],
      nodes: [server('one'), server('two')],
      claims: [],
      networkId: 'net',
      nameServers: ['10.0.128.1'],
      serviceRange: { first: '10.0.128.2', size: 100 },
      proxies: [{ node: 'one', isEdge: true }],
      ingressPorts: { http: 80, https: 443 },
      headerKb: 15,
    },
    now: 1_000_000,
    fails: () => false,
    jobsEnd: true,
    startsReady: true,
    settle,
  };

  function settle(desired: readonly DesiredState[]): ReturnType<SimulatedSwarm['settle']> {
    const done: SwarmStep[] = [];
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      swarm.now += 1_000;
      const { steps, owners } = decide(desired, swarm.world, swarm.now, RULES);
      if (steps.length === 0) return { done, owners };
      for (const step of steps) apply(step);
      done.push(...steps);
    }
    throw new Error(`it never ends: ${JSON.stringify(done.slice(-3))}`);
  }

  function apply(step: SwarmStep): void {
    const { world } = swarm;
    switch (step.kind) {
      case 'record': {
        const { kind: _kind, ...record } = step;
        const key = keyOf(step.resource);
        world.records = [...world.records.filter((each) => each.key !== key), { key, ...record }];
        return;
      }
      case 'forget':
        world.records = world.records.filter(({ key }) => key !== step.key);
        return;
      case 'createFile': {
        const { kind, name } = step.file;
        ids += 1;
        world.files = [...world.files, { id: `f${ids}`, kind, name, owner: step.owner }];
        return;
      }
      case 'removeFile':
        world.files = world.files.filter(({ id }) => id !== step.file.id);
        return;
      case 'createService':
        ids += 1;
        write(`s${ids}`, step.owner, step.spec);
        return;
      case 'updateService':
        write(step.id, step.owner, step.spec);
        return;
      case 'createClaim':
        world.claims = [...world.claims.filter(({ name }) => name !== step.claim.name), step.claim];
        return;
      case 'endTasks': {
        const spec = world.services.find(({ id }) => id === step.id)?.spec as ServiceSpec;
        write(step.id, step.owner, { ...spec, Mode: { Replicated: { Replicas: 0 } } });
        return;
      }
      case 'removeService':
        world.services = world.services.filter(({ id }) => id !== step.id);
        world.tasks = world.tasks.filter(({ service }) => service !== step.id);
        return;
      case 'configureProxy':
        runWith(step.node, { proxy: step.config.hash });
        return;
      case 'configureDns':
        runWith(step.node, { dns: step.config.hash });
        return;
      case 'configureEdge':
        runWith(step.node, { edge: step.config.hash });
        return;
      case 'configureRecords':
        runWith(step.node, { nameRecords: step.config.hash });
        return;
      case 'configureUdp': {
        const key = step.role === 'udp-edge' ? 'udpEdge' : 'udpProxy';
        runWith(step.node, { [key]: step.config.hash });
        return;
      }
      case 'placeProbes':
        runWith(step.node, { probes: true });
        return;
      case 'orderCertificate':
        if (world.acme !== undefined)
          world.acme = { ...world.acme, certificates: { [step.order.id]: { ordering: true } } };
    }
  }

  function runWith(node: string, what: Partial<ServerProxies>): void {
    swarm.world.proxies = swarm.world.proxies.map((each) =>
      each.node === node ? { ...each, ...what } : each,
    );
  }

  function write(id: string, owner: string, spec: ServiceSpec): void {
    const { world } = swarm;
    const before = world.services.find((service) => service.id === id);
    const run = spec.Labels[MARK.run];
    const service: LiveService = {
      id,
      version: (before?.version ?? 0) + 1,
      key: spec.Labels[MARK.resource] ?? '',
      part: spec.Labels[MARK.part] ?? '',
      owner,
      spec,
      files: [
        ...filesIn(spec),
        ...(before === undefined ? [] : filesIn(before.spec as ServiceSpec)),
      ],
      ...(run === undefined ? {} : { run }),
      createdAt: swarm.now,
      updatedAt: swarm.now,
    };
    function isHad({ service, lostWith }: LiveTask): boolean {
      return service === id && lostWith === undefined;
    }
    const had = world.tasks.filter(isHad);
    const others = world.tasks.filter((task) => !isHad(task));
    const made = tasksOf(id, spec);
    const next = (spec.UpdateConfig?.Delay ?? 0) < UNTIL_TOLD ? made : updated(had, made, spec);
    const isUnderWay = had.some(({ templateHash }) => templateHash !== hashIn(spec));
    if (isUnderWay && next !== made) service.update = { state: 'updating', message: '' };
    world.services = [...world.services.filter((each) => each.id !== id), service];
    world.tasks = [...others, ...next];
  }

  /** So many at once as it says; the others when it is told again. */
  function updated(had: LiveTask[], made: LiveTask[], spec: ServiceSpec): LiveTask[] {
    const old = had.filter(({ templateHash }) => templateHash !== hashIn(spec));
    const kept = new Set(old.slice(spec.UpdateConfig?.Parallelism));
    return made.map((task) => {
      const before = had.find(({ slot }) => slot === task.slot);
      const stays = before !== undefined && (kept.has(before) || !old.includes(before));
      return stays ? before : task;
    });
  }

  function tasksOf(service: string, spec: ServiceSpec): LiveTask[] {
    const { Mode, TaskTemplate } = spec;
    const isJob = 'ReplicatedJob' in Mode;
    const other = 'Replicated' in Mode ? Mode.Replicated.Replicas : 1;
    const count = isJob ? Mode.ReplicatedJob.TotalCompletions : other;
    return Array.from({ length: count }, (_, index) => ({
      id: `${service}-t${index + 1}-${swarm.now}`,
      service,
      name: `${spec.Name}.${index + 1}`,
      slot: String(index + 1),
      templateHash: hashIn(spec),
      ...stateOf(spec),
      desired: isJob ? ('complete' as const) : ('running' as const),
      createdAt: swarm.now,
      at: swarm.now,
      message: '',
      error: '',
      ip: `10.0.0.${index + 1}`,
      ...(TaskTemplate.ContainerSpec.Labels[MARK.readiness] === 'null'
        ? {}
        : { readiness: { ok: swarm.startsReady, answer: 'HTTP 503' } }),
      pod: {
        namespace: 'default',
        container: 'web',
        keeper: spec.Labels[MARK.resource] ?? '',
        owner: spec.Labels[MARK.owner] ?? '',
        labels: { app: 'web' },
        ports: {},
      },
    }));
  }

  function stateOf(spec: ServiceSpec): Pick<LiveTask, 'state' | 'exitCode'> {
    if (swarm.fails(spec)) return { state: 'failed', exitCode: 1 };
    return { state: 'ReplicatedJob' in spec.Mode && swarm.jobsEnd ? 'complete' : 'running' };
  }

  return swarm;
}

/** That is up, and takes what is put on it. */
export function server(name: string): FleetNode {
  return {
    id: `n-${name}`,
    hostname: name,
    server: name,
    address: '10.0.0.1',
    role: 'worker',
    availability: 'active',
    state: 'ready',
    labels: { 'windlass.applications': 'true', 'windlass.server': name },
    changedAt: 0,
    version: '20.10',
    tasks: 0,
    platform: { os: 'linux', architecture: 'x86_64' },
    engineLabels: {},
    capacity: { nanoCpus: 2e9, memoryBytes: 2 ** 32 },
  };
}

function hashIn({ TaskTemplate }: ServiceSpec): string {
  return TaskTemplate.ContainerSpec.Labels[MARK.templateHash] ?? '';
}

function filesIn({ TaskTemplate: { ContainerSpec } }: ServiceSpec): string[] {
  return [
    ...ContainerSpec.Configs.map(({ ConfigName }) => ConfigName),
    ...ContainerSpec.Secrets.map(({ SecretName }) => SecretName),
  ];
}
