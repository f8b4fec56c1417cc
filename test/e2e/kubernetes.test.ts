import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import { isApiStatus } from '#adapters/kubernetes/api-error.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { startApiStandIn } from '../../workers/deploy/engines/kubernetes/testing/api-stand-in.ts';
import type { ApiStandIn } from '../../workers/deploy/engines/kubernetes/testing/api-stand-in.ts';
import { runCli, startCli } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';

const NEVER = new AbortController().signal;
const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: prod }
spec: { engine: kubernetes, kubeconfig: { env: KUBECONFIG_TEXT } }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { deploy: [{ cluster: prod, manifests: deploy/ }] }
`;

function manifests(color: string): string {
  return `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: look, namespace: shop }
data: { color: ${color} }
---
apiVersion: v1
kind: Secret
metadata: { name: key, namespace: shop }
stringData: { key: hunter2 }
`;
}

const DEPLOYMENT = `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: '${SYSTEM_IMAGES.sandbox}' }] }
`;
const HASH = '5d4f';
const CONTAINER = 'c0ffee'.padEnd(64, '0');
const LABELS = { app: 'web', 'pod-template-hash': HASH };
/** As the controllers and a node would have it. */
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `web-${HASH}-x7k2p`,
    labels: LABELS,
    ownerReferences: [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: `web-${HASH}`,
        uid: 'r',
        controller: true,
      },
    ],
  },
  spec: { containers: [{ name: 'web', image: SYSTEM_IMAGES.sandbox }] },
  status: {
    phase: 'Running',
    podIP: '10.0.0.7',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [
      {
        name: 'web',
        ready: true,
        restartCount: 0,
        containerID: `containerd://${CONTAINER}`,
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  },
};
const SERVING = {
  observedGeneration: 1,
  replicas: 1,
  updatedReplicas: 1,
  readyReplicas: 1,
  availableReplicas: 1,
  conditions: [{ type: 'Available', status: 'True' }],
};

/** A page on port 80, and `cat`, as a kubelet leads to them. */
function answer(socket: WebSocket, { pathname, searchParams }: URL): void {
  function say(channel: number, text: string): void {
    socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(text)]));
  }
  if (pathname.endsWith('/portforward')) {
    for (const channel of [0, 1]) socket.send(Buffer.of(channel, 80, 0));
    socket.once('message', () => {
      say(0, 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello');
      socket.close();
    });
    return;
  }
  say(1, `${searchParams.getAll('command').join(' ')}\n`);
  say(3, JSON.stringify({ status: 'Success' }));
  socket.close();
}

describe.sequential('a cluster with engine kubernetes', () => {
  let api: ApiStandIn;
  let hand: KubeClient;
  let windlass: Windlass;
  let repository: Repository;

  beforeAll(async () => {
    api = await startApiStandIn(answer);
    hand = createKubeClient({ server: api.url, user: {} }, {});
    repository = await createRepository();
    const kubeconfig = JSON.stringify({
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server: api.url } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: {} }],
    });
    windlass = await startWindlass(CONFIG, {
      environment: () => Promise.resolve({ deploy: { KUBECONFIG_TEXT: kubeconfig } }),
    });
    const remote = `${windlass.url.replace('//', `//dev:${windlass.token}@`)}/git/shop.git`;
    await repository.git('remote', 'add', 'windlass', remote);
  });

  afterAll(async () => {
    await windlass.stop();
    await repository.remove();
    hand.close();
    await api.close();
  });

  async function push(text: string): Promise<string> {
    await repository.commit({ 'deploy/all.yaml': text });
    return (await repository.git('push', 'windlass', 'main')).output;
  }

  async function dataOf(plural: string, name: string): Promise<unknown> {
    const path = `/api/v1/namespaces/shop/${plural}/${name}`;
    return (await hand.call<{ data: unknown }>({ method: 'GET', path }, NEVER)).body.data;
  }

  async function isThere(path: string): Promise<boolean> {
    try {
      await hand.call({ method: 'GET', path }, NEVER);
      return true;
    } catch (error) {
      if (isApiStatus(error, 404)) return false;
      throw error;
    }
  }

  it('has what a push brings', async () => {
    expect(await push(manifests('red'))).toMatch(/remote: DEPLOYED shop/);
    expect(await dataOf('configmaps', 'look')).toEqual({ color: 'red' });
    expect(await dataOf('secrets', 'key')).toEqual({ key: 'aHVudGVyMg==' });
  });

  it('is as released again when somebody has changed it by hand', async () => {
    const path = '/api/v1/namespaces/shop/configmaps/look';
    const contentType = 'application/merge-patch+json';
    const body = { data: { color: 'blue' } };
    const patched = await hand.call({ method: 'PATCH', path, contentType, body }, NEVER);
    expect(patched.body).toMatchObject(body);
    await waitUntil(
      async () => JSON.stringify(await dataOf('configmaps', 'look')) === '{"color":"red"}',
      'the color of the release',
    );
  });

  it('leads into a pod, and tells from it who pushed what led to it', async () => {
    await repository.commit({ 'deploy/all.yaml': manifests('red') + DEPLOYMENT });
    await repository.git('push', '-o', 'nowait', 'windlass', 'main');
    const path = '/apis/apps/v1/namespaces/shop/deployments/web';
    await waitUntil(() => isThere(path), 'the Deployment');
    const pods = '/api/v1/namespaces/shop/pods';
    await hand.call({ method: 'POST', path: pods, body: POD }, NEVER);
    const contentType = 'application/merge-patch+json';
    await hand.call({ method: 'PATCH', path, contentType, body: { status: SERVING } }, NEVER);
    const here = ['deployment/web', '-n', 'shop', '--cluster', 'prod'];
    await waitUntil(
      async () => /Deployment\/shop\/web +Healthy/.test((await runCli(windlass, ['status'])).out),
      'the Deployment to serve',
    );
    const { out } = await runCli(windlass, ['why', CONTAINER.slice(0, 12)]);
    expect(out).toMatch(/workload +Deployment\/shop\/web on cluster prod/);
    expect(out).toMatch(/deploy entry +shop\/prod\n/);
    expect(out).toMatch(/pushed by +admin, /);
    expect(await runCli(windlass, ['exec', ...here, '--', 'ls', '-l'])).toEqual({
      code: 0,
      out: 'ls -l\n',
      notes: '',
    });
    const forward = startCli(windlass, ['port-forward', ...here, '--json', ':80']);
    await waitUntil(async () => forward.out().includes('\n'), 'a listening port');
    const { port } = JSON.parse(forward.out()) as { port: number };
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello');
    expect(await forward.interrupt()).toBe(130);
  });

  it('says why it does not take a release, and stays as it was', async () => {
    const path = '/api/v1/namespaces/shop/configmaps';
    const theirs = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs' }, data: {} };
    await hand.call({ method: 'POST', path, body: theirs }, NEVER);
    const taken = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: theirs, namespace: shop }\n';
    expect(await push(`${manifests('green')}---\n${taken}`)).toMatch(
      /remote: FAILED shop: .*theirs is there already, and Windlass did not make it/,
    );
    expect(await dataOf('configmaps', 'look')).toEqual({ color: 'red' });
  });
});
