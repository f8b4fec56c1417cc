import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { acceptFor } from '#core/accept.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from '../../workers/deploy/engines/kubernetes/engine.ts';
import { enterCluster } from '../../workers/deploy/engines/kubernetes/testing/cluster-guest.ts';
import { connectCluster } from '../../workers/deploy/engines/kubernetes/testing/connect-cluster.ts';
import type { ReadyNode } from '../../workers/deploy/engines/kubernetes/testing/ready-node.ts';
import { exchange } from '../tools/exchange.ts';
import type { ConformanceCluster } from './cluster.ts';
import { startEngineCluster } from './engine-cluster.ts';
import { startPrivateRegistry } from './private-registry.ts';
import type { PrivateRegistry } from './private-registry.ts';

const ANSWER_MS = 5_000;
const ASKED_OF: Readonly<Record<string, Record<string, string>>> = {
  Pod: { 'windlass.dev/replace': 'true' },
  PersistentVolumeClaim: { 'windlass.dev/prune': 'false' },
};

/** The kubernetes engine on the cluster that `KUBECONFIG` names; what was there before is there afterwards, and no more. */
export async function startKubernetesCluster(
  node: ReadyNode,
): Promise<ConformanceCluster & { remove(): Promise<void> }> {
  const id = randomBytes(4).toString('hex');
  const owners = new Set<string>();
  const hand = await connectCluster();
  const guest = await enterCluster(hand, id, (owner) => owners.has(owner));
  let registry: Promise<PrivateRegistry> | undefined;
  const engine = createKubernetesEngine({
    cluster: 'conformance',
    installation: `test-${id}`,
    sealKey: id,
    log: pino({ level: 'silent' }),
    client: await connectCluster(),
  });

  async function askNode(port: number, path: string): Promise<string> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const headers = { connection: 'close' };
    const response = await fetch(`http://${node.address}:${port}${path}`, { signal, headers });
    return response.text();
  }

  const cluster = startEngineCluster(engine, {
    explains: false,
    accept: (manifests) => acceptFor('kubernetes', manifests),
    get: askNode,
    exchange: (port, datagram) => exchange(port, datagram, node.address),
    async privateRegistry() {
      registry ??= startPrivateRegistry();
      return (await registry).host;
    },
    async push(image) {
      registry ??= startPrivateRegistry();
      await (await registry).push(image);
    },
    askIngress: () => Promise.reject(new Error('whose Ingress controller it is is not known')),
    askBalancer: () => Promise.reject(new Error('whose load balancer it is is not known')),
    async close() {
      await engine.close();
      await guest.leave();
      hand.close();
      await (await registry)?.stop();
    },
  });
  return {
    ...cluster,
    apply(owner, resources) {
      owners.add(owner);
      cluster.apply(owner, withNamespace(owner, resources.map(asAsked)));
    },
  };
}

/** What other engines do without being asked: a changed Pod is made anew, and a claim stays. */
function asAsked(resource: Resource): Resource {
  const { metadata } = resource;
  const asked = ASKED_OF[resource.kind];
  if (asked === undefined || metadata.annotations?.['windlass.dev/reclaim-policy'] === 'Delete')
    return resource;
  return {
    ...resource,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...asked } },
  };
}

/** Other engines have namespaces without being told. */
function withNamespace(name: string, resources: readonly Resource[]): readonly Resource[] {
  const isThere = resources.some((each) => each.kind === 'Namespace');
  if (isThere || resources.length === 0) return resources;
  return [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, ...resources];
}
