import { isKind, KINDS } from '#core/docker/kinds.ts';
import type {
  ConfigMap,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  Pod,
  Secret,
  StatefulSet,
} from '#core/docker/kinds.ts';
import type { Ingress } from '#core/docker/kinds-ingress.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { workloadOf } from '#core/docker/workload.ts';
import type { Workload } from '#core/docker/workload.ts';
import { UserError } from '#core/errors.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

/** A resource with every default filled in, in the one form in which it is compared. */
export function normalise(resource: Resource): Resource {
  if (!isKind(resource.kind)) throw unsupported(resource);
  const result = KINDS[resource.kind].safeParse(resource);
  if (!result.success) throw unsupported(resource);
  return result.data as unknown as Resource;
}

/** What pods are made from. */
export interface Workloads {
  configMaps: Map<string, ConfigMap>;
  secrets: Map<string, Secret>;
  keepers: Workload[];
  services: Service[];
  ingresses: Ingress[];
}

/** Sorts normalised resources by kind; ConfigMaps and Secrets by `namespace/name`. */
export function sortWorkloads(resources: readonly Resource[]): Workloads {
  const workloads: Workloads = {
    configMaps: new Map(),
    secrets: new Map(),
    keepers: [],
    services: [],
    ingresses: [],
  };
  for (const resource of resources) {
    const name = `${resource.metadata.namespace ?? 'default'}/${resource.metadata.name}`;
    const value: unknown = resource;
    if (resource.kind === 'ConfigMap') workloads.configMaps.set(name, value as ConfigMap);
    else if (resource.kind === 'Secret') workloads.secrets.set(name, value as Secret);
    else if (resource.kind === 'Ingress') workloads.ingresses.push(value as Ingress);
    else if (resource.kind === 'Service') workloads.services.push(value as Service);
    else if (keepsPods(resource)) workloads.keepers.push(keeper(resource));
  }
  return workloads;
}

const KEEPERS = ['Deployment', 'DaemonSet', 'StatefulSet', 'Pod', 'Job', 'CronJob'];

export function keepsPods({ kind }: Pick<Resource, 'kind'>): boolean {
  return KEEPERS.includes(kind);
}

/** Of a normalised resource that keeps pods. */
export function keeper(resource: Resource): Workload {
  return workloadOf(
    resource as unknown as Deployment | DaemonSet | StatefulSet | Pod | Job | CronJob,
  );
}

function unsupported(resource: Resource): UserError {
  return new UserError(
    'unsupported',
    `${keyOf(resource)} is not something the docker engine runs`,
    {
      hint: '`windlass validate` tells which field',
    },
  );
}
