import { isKind, KINDS } from '#core/docker/kinds.ts';
import type { ConfigMap, Deployment, Secret } from '#core/docker/kinds.ts';
import type { Service } from '#core/docker/kinds-service.ts';
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
  deployments: Deployment[];
  services: Service[];
}

/** Sorts normalised resources by kind; ConfigMaps and Secrets by `namespace/name`. */
export function sortWorkloads(resources: readonly Resource[]): Workloads {
  const workloads: Workloads = {
    configMaps: new Map(),
    secrets: new Map(),
    deployments: [],
    services: [],
  };
  for (const resource of resources) {
    const name = `${resource.metadata.namespace ?? 'default'}/${resource.metadata.name}`;
    const value: unknown = resource;
    if (resource.kind === 'ConfigMap') workloads.configMaps.set(name, value as ConfigMap);
    else if (resource.kind === 'Secret') workloads.secrets.set(name, value as Secret);
    else if (resource.kind === 'Deployment') workloads.deployments.push(value as Deployment);
    else if (resource.kind === 'Service') workloads.services.push(value as Service);
  }
  return workloads;
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
