import type { OwnerStatus } from '#core/engine.ts';
import type { Problem } from '#core/errors.ts';
import type { ParsedManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';

/** What behaviours are tried on: every engine can be one. */
export interface ConformanceCluster {
  /** Statuses say what probes, hooks and pulls have found, where Kubernetes itself has events. */
  explains: boolean;
  /** What its engine refuses of manifests. */
  accept(manifests: ParsedManifests): Problem[];
  /** Wants exactly these of the owner from now on; does not wait for anything. */
  apply(owner: string, resources: readonly Resource[]): void;
  /** How the owner stood at the end of a pass that began with what it wants now; absent before the first. */
  status(owner: string): OwnerStatus | undefined;
  run(
    place: ContainerPlace,
    command: readonly string[],
  ): Promise<{ exitCode: number; output: string }>;
  logs(place: ContainerPlace): Promise<string>;
  /** The body that the Service answers on the host. */
  ask(owner: string, service: string, path: string): Promise<string>;
  /** The datagram that comes back from its nodePort of UDP. */
  askUdp(owner: string, service: string, datagram: Uint8Array): Promise<string>;
  /** The same at a port of its load balancer. */
  askBalancer(service: { port: number }, path: string): Promise<string>;
  /** A registry that asks for the user ann and the password secret, and has the image `team/web:1`. */
  privateRegistry(): Promise<string>;
  /** Puts `team/late:1` or such into it. */
  push(image: string): Promise<void>;
  /** What an Ingress answers: the name of the host leads to the cluster. */
  askIngress(request: IngressRequest): Promise<IngressAnswer>;
}

export interface IngressRequest {
  url: string;
  method: string;
  headers: Record<string, string>;
  /** How many bytes to send. */
  bytes: number;
  version: '1.1' | '2';
  /** So many characters of the body are enough; absent: all of it. */
  enough?: number;
}

export interface IngressAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface ContainerPlace {
  namespace: string;
  /** `Deployment/web` */
  workload: string;
  container: string;
}
