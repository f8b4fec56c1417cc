import { CONTAINER_LOG } from '#core/docker/container-log.ts';
import { keeperOf, podSpec, templateHash } from '#core/docker/pod-spec.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { Workloads } from '#core/docker/workloads.ts';
import type { ContainerSpec, PodSpec } from '#core/docker/world.ts';
import type { Login } from '#core/docker/pull-secrets.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import { filesOf } from '#core/swarm/files.ts';
import type { Seal } from '#core/swarm/files.ts';
import { healthCheckOf, probesMount } from '#core/swarm/health-check.ts';
import { MARK, marksOf } from '#core/swarm/marks.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import { claimVolume, serviceName } from '#core/swarm/names.ts';
import { placementOf } from '#core/swarm/placement.ts';
import type { SaysPlacement } from '#core/swarm/placement.ts';
import type {
  EndpointMode,
  ServiceMode,
  ServiceMount,
  ServiceSpec,
  SwarmFile,
  TaskTemplate,
} from '#core/swarm/service.ts';
import { literally, POD_NAME, withTaskName } from '#core/swarm/templates.ts';
import { updateConfigOf } from '#core/swarm/update-config.ts';

const NANOSECONDS = 1_000_000_000;
const RESTART_DELAY_SECONDS = 2;

/** What services are made in. */
export interface SwarmScope {
  place: SwarmPlace;
  seal: Seal;
  /** Of the cluster's network. */
  networkId: string;
  /** Who answers names; empty before there is one. */
  nameServers: string[];
  /** Where the volumes of the workload's claims are; absent where it has none. */
  node?: string;
  endpointMode: EndpointMode;
}

export interface WantedService {
  spec: ServiceSpec;
  files: SwarmFile[];
  /** Memory only. */
  logins: Login[];
}

/** The service that keeps the workload's pods as its tasks. */
export function serviceOf(
  workload: Workload,
  owner: OwnerKey,
  workloads: Workloads,
  scope: SwarmScope,
): WantedService {
  const part = partOf(workload);
  const pod = podSpec(workload, podNameOf(workload), owner, workloads);
  const [container] = pod.containers;
  if (container === undefined) throw new Error(`${pod.keeper} has no container`);
  const mounted = filesOf(container, pod.volumes, secretVolumes(workload), { ...scope, owner });
  const { Resources, Placement, RestartPolicy } = taskRules(workload, scope.node);
  const template: TaskTemplate = {
    ContainerSpec: {
      Image: container.image,
      Labels: labelsOf(workload, pod, container, scope.place),
      ...commandOf(container),
      Env: Object.entries(container.env)
        .map(([name, value]) => `${name}=${withTaskName(value)}`)
        .toSorted(),
      ...whoOf(container),
      Hostname: hostNameOf(workload),
      StopSignal: container.stopSignal ?? '',
      StopGracePeriod: pod.graceSeconds * NANOSECONDS,
      Healthcheck: healthCheckOf(container.probes),
      ...namesOf(pod, scope),
      Sysctls: pod.sysctls,
      Mounts: [
        ...container.mounts.flatMap((mount) => mountOf(mount, pod, scope.place)),
        ...probesMount(container.probes, scope.place),
      ],
      Configs: mounted.configs,
      Secrets: mounted.secrets,
    },
    Resources,
    RestartPolicy,
    Placement,
    Networks: [{ Target: scope.networkId }],
    LogDriver: { Name: CONTAINER_LOG.driver, Options: CONTAINER_LOG.options },
  };
  const hash = contentHash(template);
  template.ContainerSpec.Labels[MARK.templateHash] = hash;
  return {
    spec: {
      Name: serviceName(scope.place, pod.keeper, part),
      Labels: {
        ...marksOf(scope.place, 'service'),
        [MARK.owner]: owner,
        [MARK.resource]: pod.keeper,
        // Swarm keeps the login that it was last given: another one has to be told, and restarts nothing.
        ...(container.logins.length === 0
          ? {}
          : { [MARK.logins]: scope.seal(JSON.stringify(container.logins)) }),
        ...(part === '' ? {} : { [MARK.part]: part }),
        ...(workload.job === undefined ? {} : { [MARK.run]: templateHash(workload) }),
      },
      TaskTemplate: template,
      Mode: modeOf(workload),
      ...(workload.job === undefined ? updateConfigOf(workload, pod.hostPorts.length > 0) : {}),
      EndpointSpec: {
        Mode: scope.endpointMode,
        Ports: pod.hostPorts.map(({ protocol, port, containerPort }) => ({
          Protocol: protocol === 'UDP' ? ('udp' as const) : ('tcp' as const),
          TargetPort: containerPort,
          PublishedPort: port,
          PublishMode: 'host' as const,
        })),
      },
    },
    files: mounted.files,
    logins: container.logins,
  };
}

/** Which of its keeper's services it is: the Job of a CronJob, the pod of a StatefulSet; empty of the only one. */
export function partOf({ kind, metadata, of, spec }: Workload): string {
  if (of !== undefined) return metadata.name;
  return kind === 'StatefulSet' ? (spec.template.spec.hostname ?? '') : '';
}

/** Pods of a StatefulSet have names that they keep. */
function podNameOf(workload: Workload): string {
  return workload.kind === 'StatefulSet' ? partOf(workload) : POD_NAME;
}

/** Tasks without a number have longer names than a host may have: there it is what Docker makes of it. */
function hostNameOf({ kind, spec }: Workload): string {
  const said = spec.template.spec.hostname;
  if (said !== undefined) return literally(said);
  return kind === 'Deployment' ? withTaskName(POD_NAME) : '';
}

/** Of what can be told before tasks are there, all that a container or those who look for it can see. */
function labelsOf(
  workload: Workload,
  pod: PodSpec,
  container: ContainerSpec,
  place: SwarmPlace,
): Record<string, string> {
  const { labels, annotations } = workload.spec.template.metadata;
  return {
    ...marksOf(place, 'service'),
    [MARK.owner]: pod.owner,
    [MARK.resource]: keeperOf(workload),
    [MARK.namespace]: pod.namespace,
    [MARK.container]: container.name,
    [MARK.podLabels]: JSON.stringify({ labels, annotations }),
    [MARK.ports]: JSON.stringify(pod.ports),
    [MARK.readiness]: JSON.stringify(container.probes.readiness ?? null),
    [MARK.template]: templateHash(workload),
    ...(workload.kind === 'StatefulSet' ? { [MARK.pod]: pod.name } : {}),
    ...(pod.hostName.published === undefined ? {} : { [MARK.published]: pod.hostName.published }),
  };
}

/** Kubernetes' `command` is Docker's entrypoint, which Swarm calls command. */
function commandOf({ command = [], args = [], workingDir = '', input }: ContainerSpec): {
  Command: string[];
  Args: string[];
  Dir: string;
  TTY: boolean;
  OpenStdin: boolean;
} {
  return {
    Command: command,
    Args: args,
    Dir: workingDir,
    TTY: input?.terminal === true,
    OpenStdin: input?.open === true,
  };
}

function whoOf({ security }: ContainerSpec): {
  User: string;
  Groups: string[];
  ReadOnly: boolean;
  CapabilityAdd: string[];
  CapabilityDrop: string[];
} {
  return {
    User: security.user ?? '',
    Groups: security.groups.map(String),
    ReadOnly: security.readOnlyRoot,
    CapabilityAdd: security.addCapabilities.map(capability),
    CapabilityDrop: security.dropCapabilities.map(capability),
  };
}

function capability(name: string): string {
  return name === 'ALL' ? name : `CAP_${name}`;
}

function namesOf(
  { names }: PodSpec,
  { nameServers }: SwarmScope,
): {
  Hosts: string[];
  DNSConfig: { Nameservers: string[]; Search: string[]; Options: string[] };
} {
  return {
    Hosts: names.hosts.map(({ ip, name }) => `${ip} ${name}`),
    DNSConfig: {
      Nameservers: [...(names.asks === 'cluster' ? nameServers : []), ...names.nameservers],
      Search: names.searches,
      Options: names.options,
    },
  };
}

function mountOf(
  { volume: name, path, readOnly }: ContainerSpec['mounts'][number],
  { volumes, namespace }: Pick<PodSpec, 'volumes' | 'namespace'>,
  place: SwarmPlace,
): ServiceMount[] {
  const volume = volumes.find((each) => each.name === name);
  const to = { Target: path, ReadOnly: readOnly };
  const empty = { VolumeOptions: { NoCopy: true } } as const;
  if (volume?.kind === 'hostPath') return [{ Type: 'bind', Source: volume.path, ...to }];
  if (volume?.kind === 'claim') {
    const Source = claimVolume(place, { namespace, name: volume.claim });
    return [{ Type: 'volume', Source, ...to, ...empty }];
  }
  if (volume?.kind !== 'emptyDir') return [];
  if (!volume.memory) return [{ Type: 'volume', ...to, ...empty }];
  const size = volume.sizeLimit;
  return [
    { Type: 'tmpfs', ...to, ...(size === undefined ? {} : { TmpfsOptions: { SizeBytes: size } }) },
  ];
}

function secretVolumes({ spec }: Workload): Set<string> {
  const holding = spec.template.spec.volumes.filter(
    ({ secret, projected }) =>
      secret !== undefined || projected?.sources.some((source) => source.secret !== undefined),
  );
  return new Set(holding.map(({ name }) => name));
}

/** What a task may use, where it runs, and whether another comes after it. */
function taskRules(
  { spec, job }: Workload,
  node: string | undefined,
): Pick<TaskTemplate, 'Resources' | 'RestartPolicy' | 'Placement'> {
  const [container] = spec.template.spec.containers;
  const { limits = {}, requests = {} } = container?.resources ?? {};
  const placement = placementOf(spec.template.spec as SaysPlacement);
  return {
    Resources: {
      Limits: amounts(limits),
      // What is not requested is requested by the limit, as in Kubernetes.
      Reservations: amounts({
        cpu: requests.cpu ?? limits.cpu,
        memory: requests.memory ?? limits.memory,
      }),
    },
    RestartPolicy: {
      // Of jobs Swarm counts no attempts: whoever reads the tasks does.
      Condition: job === undefined ? 'any' : jobCondition(job.backoffLimit),
      Delay: RESTART_DELAY_SECONDS * NANOSECONDS,
      MaxAttempts: 0,
    },
    Placement:
      node === undefined
        ? placement
        : { ...placement, Constraints: [...placement.Constraints, `node.id==${node}`] },
  };
}

function jobCondition(backoffLimit: number): 'on-failure' | 'none' {
  return backoffLimit === 0 ? 'none' : 'on-failure';
}

function amounts({ cpu, memory }: { cpu?: number | undefined; memory?: number | undefined }): {
  NanoCPUs?: number;
  MemoryBytes?: number;
} {
  return {
    ...(cpu === undefined ? {} : { NanoCPUs: Math.round(cpu * 1e9) }),
    ...(memory === undefined ? {} : { MemoryBytes: Math.round(memory) }),
  };
}

function modeOf({ kind, spec, job }: Workload): ServiceMode {
  if (kind === 'DaemonSet') return { Global: {} };
  if (job === undefined) return { Replicated: { Replicas: spec.replicas } };
  const { completions, parallelism } = job;
  return { ReplicatedJob: { MaxConcurrent: parallelism, TotalCompletions: completions } };
}
