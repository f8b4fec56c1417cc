import type { LiveContainer, LivePod, PodSpec, Step, World } from '#core/docker/world.ts';
import { keyOf } from '#core/resources/resource.ts';

/** A world with nothing in it. */
export function emptyWorld(): World {
  return {
    records: [],
    pods: [],
    claims: [],
    serviceRange: { first: '10.88.128.0', size: 64 },
    nameServer: '10.88.127.255',
    ingressPorts: { http: 80, https: 443 },
    headerKb: 15,
  };
}

/** The world after one step, as a Docker host that never fails would have it. Pods that end are gone at once. */
export function carryOut(world: World, step: Step, now: number): World {
  switch (step.kind) {
    case 'record': {
      const key = keyOf(step.resource);
      const record = {
        key,
        owner: step.owner,
        resource: step.resource,
        recordedAt: now,
        ...(step.held === true ? { held: true } : {}),
        ...(step.clusterIp === undefined ? {} : { clusterIp: step.clusterIp }),
        ...(step.nodePorts === undefined ? {} : { nodePorts: step.nodePorts }),
        ...(step.job === undefined ? {} : { job: step.job }),
        ...(step.set === undefined ? {} : { set: step.set }),
        ...(step.cron === undefined ? {} : { cron: step.cron }),
        ...(step.autoscaler === undefined ? {} : { autoscaler: step.autoscaler }),
        ...(step.pausedTemplate === undefined ? {} : { pausedTemplate: step.pausedTemplate }),
      };
      const others = world.records.filter((other) => other.key !== key);
      return { ...world, records: [...others, record] };
    }
    case 'forget':
      return { ...world, records: world.records.filter(({ key }) => key !== step.key) };
    case 'createClaim': {
      const { name, namespace, owner, provision } = step;
      const volume = `${namespace}.${name}`;
      const { reclaim } = provision;
      const claim = { name, namespace, owner, volume };
      return {
        ...world,
        claims: [...world.claims, { ...claim, ...(reclaim === undefined ? {} : { reclaim }) }],
      };
    }
    case 'deleteClaim':
      return {
        ...world,
        claims: world.claims.filter(
          ({ name, namespace }) => name !== step.name || namespace !== step.namespace,
        ),
      };
    case 'createPod':
    case 'repairPod': {
      const known = world.pods.find((pod) => isNamed(pod, step.pod));
      if (known?.deletingSince !== undefined) return world;
      return {
        ...world,
        pods: [...world.pods.filter((pod) => pod !== known), livePod(step, known, now)],
      };
    }
    case 'writeVolume':
      return {
        ...world,
        pods: world.pods.map((pod) =>
          pod.name === step.pod && pod.namespace === step.namespace
            ? { ...pod, volumeHashes: { ...pod.volumeHashes, [step.volume]: step.hash } }
            : pod,
        ),
      };
    case 'restartContainer':
      return {
        ...world,
        pods: world.pods.map((pod) =>
          pod.name === step.pod && pod.namespace === step.namespace
            ? { ...pod, probes: { ...pod.probes, [step.container]: {} } }
            : pod,
        ),
      };
    case 'endPod':
      return {
        ...world,
        pods: world.pods.map((pod) =>
          pod.name === step.pod && pod.namespace === step.namespace
            ? { ...pod, containers: ended(pod.containers, step, now) }
            : pod,
        ),
      };
    case 'deletePod':
      return { ...world, pods: world.pods.filter((pod) => !isNamed(pod, step)) };
    case 'configureProxy':
      return { ...world, proxy: step.config.hash };
    case 'configureDns':
      return { ...world, dns: step.config.hash };
    case 'configureEdge':
      return { ...world, edge: step.config.hash };
    case 'configureRecords':
      return { ...world, nameRecords: step.config.hash };
    case 'configureUdp':
      return { ...world, [step.role === 'udp-proxy' ? 'udpProxy' : 'udpEdge']: step.config.hash };
    case 'orderCertificate':
      return world;
  }
}

function ended(
  containers: LivePod['containers'],
  step: Extract<Step, { kind: 'endPod' }>,
  now: number,
): LivePod['containers'] {
  const ids = new Set(step.containers.map(({ id }) => id));
  return Object.fromEntries(
    Object.entries(containers).map(([name, container]) => [
      name,
      ids.has(container.id)
        ? { ...container, state: 'exited' as const, exitCode: 137, finishedAt: now }
        : container,
    ]),
  );
}

/** Its init containers are at their end as soon as they run. */
function livePod(
  { pod: spec, run }: { pod: PodSpec; run: readonly string[] },
  known: LivePod | undefined,
  now: number,
): LivePod {
  const started = spec.containers
    .filter(({ name }) => run.includes(name))
    .map(({ name, init }) => [
      name,
      {
        ...running(now),
        ...(init === undefined ? {} : { init }),
        ...(init?.sidecar === false ? { state: 'exited' as const } : {}),
      },
    ]);
  return {
    name: spec.name,
    namespace: spec.namespace,
    keeper: spec.keeper,
    owner: spec.owner,
    labels: spec.labels,
    templateHash: spec.templateHash,
    graceSeconds: spec.graceSeconds,
    createdAt: known?.createdAt ?? now,
    ip: `10.88.0.${(now % 250) + 2}`,
    ports: spec.ports,
    ...(spec.hostName.published === undefined ? {} : { published: spec.hostName.published }),
    hostPorts: spec.hostPorts,
    sandbox: known?.sandbox.state === 'running' ? known.sandbox : running(now),
    containers: { ...known?.containers, ...Object.fromEntries(started) },
    volumeHashes: Object.fromEntries(
      spec.volumes.flatMap((volume) =>
        volume.kind === 'files' ? [[volume.name, volume.hash]] : [],
      ),
    ),
    probes: Object.fromEntries(
      spec.containers.flatMap(({ name, probes }) =>
        probes.readiness === undefined
          ? []
          : [[name, { readiness: { ok: true, since: now, answer: 'HTTP 200' } }]],
      ),
    ),
  };
}

export function running(startedAt: number): LiveContainer {
  return {
    id: 'c',
    state: 'running',
    startedAt,
    finishedAt: 0,
    exitCode: 0,
    oomKilled: false,
    restarts: 0,
    drift: [],
    joined: true,
  };
}

function isNamed(pod: LivePod, { name, namespace }: { name: string; namespace: string }): boolean {
  return pod.name === name && pod.namespace === namespace;
}
