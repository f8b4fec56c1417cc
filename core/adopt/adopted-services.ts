import type { RunningContainer, RunningPort } from './running-container.ts';

interface AdoptedService {
  name: string;
  /** Its ports are those of what still runs. */
  waits?: boolean;
  spec: object;
}

/**
 * How others reach it: by its name within the cluster, as on a network of Docker (any port, so a headless Service), and
 * at the host's ports through a LoadBalancer. What is published on one address alone is a port of the pod on the host.
 */
export function adoptedServices(
  name: string,
  { network, ports }: RunningContainer,
): { services: AdoptedService[]; hostPorts: object[]; notes: string[] } {
  if (network === 'host') return { services: [], hostPorts: [], notes: [] };
  const notes: string[] = [];
  const usable = ports.filter(({ protocol, container }) => {
    if (protocol !== 'SCTP') return true;
    notes.push(`Port ${container}/SCTP is not served: Services carry TCP and UDP.`);
    return false;
  });
  const published = usable.filter(({ host }) => host !== undefined);
  const bound = published.filter(({ ip }) => ip !== undefined);
  const open = unique(published.filter(({ ip }) => ip === undefined));
  const selector = { app: name };
  const services: AdoptedService[] =
    network === 'none'
      ? []
      : [{ name, spec: { clusterIP: 'None', selector, ...internal(usable) } }];
  if (open.length > 0)
    services.push({
      name: `${name}-public`,
      waits: true,
      spec: {
        type: 'LoadBalancer',
        selector,
        ports: open.map(({ host, container, protocol }) => ({
          ...(open.length === 1 ? {} : { name: `${protocol.toLowerCase()}-${host}` }),
          port: host,
          targetPort: container,
          ...(protocol === 'TCP' ? {} : { protocol }),
        })),
      },
    });
  if (network === 'none') notes.push('It had no network; a pod has one.');
  return { services, hostPorts: bound.map(hostPort), notes };
}

/** A headless Service leads to the pods: ports are only their names. */
function internal(ports: readonly RunningPort[]): object {
  const unlike = [
    ...new Map(ports.map((each) => [`${each.container}/${each.protocol}`, each])).values(),
  ];
  if (unlike.length === 0) return {};
  return {
    ports: unlike.map(({ container, protocol }) => ({
      ...(unlike.length === 1 ? {} : { name: `${protocol.toLowerCase()}-${container}` }),
      port: container,
      ...(protocol === 'TCP' ? {} : { protocol }),
    })),
  };
}

function hostPort({ container, host, ip, protocol }: RunningPort): object {
  return {
    containerPort: container,
    hostPort: host,
    hostIP: ip,
    ...(protocol === 'TCP' ? {} : { protocol }),
  };
}

/** Docker tells IPv4 and IPv6 of one publication apart. */
function unique(ports: readonly RunningPort[]): RunningPort[] {
  return [
    ...new Map(
      ports.map((each) => [`${each.host}:${each.container}/${each.protocol}`, each]),
    ).values(),
  ];
}
