import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { startApiStandIn } from '../../workers/deploy/engines/kubernetes/testing/api-stand-in.ts';
import type { ApiStandIn } from '../../workers/deploy/engines/kubernetes/testing/api-stand-in.ts';
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

describe.sequential('a cluster with engine kubernetes', () => {
  let api: ApiStandIn;
  let hand: KubeClient;
  let windlass: Windlass;
  let repository: Repository;

  beforeAll(async () => {
    api = await startApiStandIn();
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
