import { acceptResources } from '#core/docker/accepts.ts';
import { createDockerCluster } from '../../workers/deploy/engines/docker/testing/docker-cluster.ts';
import { askIngress } from './ask-ingress.ts';
import { startEngineCluster } from './engine-cluster.ts';
import { exchange } from '../tools/exchange.ts';
import { startPrivateRegistry } from './private-registry.ts';
import type { PrivateRegistry } from './private-registry.ts';
import type { ConformanceCluster } from './cluster.ts';
import type { Reached } from './reach-docker.ts';

const ANSWER_MS = 5_000;

/** The docker engine on this machine's Docker. */
export function startDockerCluster(
  reached: Reached,
): ConformanceCluster & { remove(): Promise<void> } {
  const docker = createDockerCluster();
  let registry: Promise<PrivateRegistry> | undefined;
  return startEngineCluster(docker.startEngine(reached), {
    explains: true,
    accept: (manifests) => acceptResources(manifests),
    get: (port, path) => get(`http://127.0.0.1:${port}${path}`),
    exchange,
    async privateRegistry() {
      registry ??= startPrivateRegistry();
      return (await registry).host;
    },
    async push(image) {
      registry ??= startPrivateRegistry();
      await (await registry).push(image);
    },
    askIngress: (request) =>
      askIngress(request, {
        http: { port: docker.ingress.httpPort },
        https: { port: docker.ingress.httpsPort },
      }),
    // The host itself.
    askBalancer: ({ port }, path) => get(`http://127.0.0.1:${port}${path}`),
    async close() {
      await docker.remove();
      await reached.close();
      await (await registry)?.stop();
    },
  });
}

async function get(url: string): Promise<string> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(ANSWER_MS),
    headers: { connection: 'close' },
  });
  return response.text();
}
