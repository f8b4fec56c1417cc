import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import type { Accounts } from '#core/kubernetes/accounts.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from './engine.ts';
import { startApiStandIn } from './testing/api-stand-in.ts';
import type { ApiStandIn } from './testing/api-stand-in.ts';

const NEVER = new AbortController().signal;
const ACCOUNT = 'system:serviceaccount:shop:deploy';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
let api: ApiStandIn | undefined;
let hand: KubeClient;
const engines: Engine[] = [];

function post(path: string, body: object): Promise<unknown> {
  return hand.call({ method: 'POST', path, body }, NEVER);
}

beforeAll(async () => {
  api = await startApiStandIn();
  hand = createKubeClient({ server: api.url, user: {} }, {});
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  await post('/api/v1/namespaces', namespace);
  const verbs = ['get', 'create', 'patch', 'delete'];
  await post(`${RBAC}/clusterroles`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'deploy' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs }],
  });
  await post(`${RBAC}/clusterrolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'deploy' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'deploy' },
    subjects: [{ kind: 'ServiceAccount', name: 'deploy', namespace: 'shop' }],
  });
});
afterAll(async () => {
  for (const engine of engines) await engine.close();
  hand.close();
  await api?.close();
});

function start(accounts: Accounts): Engine {
  const engine = createKubernetesEngine({
    cluster: 'test',
    installation: 'test',
    sealKey: 'k',
    accounts,
    log: pino({ level: 'silent' }),
    client: createKubeClient({ server: api?.url ?? '', user: {} }, {}),
  });
  engines.push(engine);
  return engine;
}

function object(kind: string, name: string): Resource {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'shop' }, data: {} };
}

async function pass(engine: Engine, ...desired: DesiredState[]): Promise<OwnerStatus[]> {
  return (await engine.reconcile(desired, NEVER)).owners;
}

function wants(pipeline: string, ...resources: Resource[]): DesiredState {
  return { owner: `${pipeline}/prod`, release: 'r1', resources };
}

describe('accounts of pipelines', () => {
  it('let each do what its own may, and others go on', async () => {
    const engine = start({ shop: ACCOUNT, '*': 'nobody' });
    const [shop, blog] = await pass(
      engine,
      wants('shop', object('ConfigMap', 'one')),
      wants('blog', object('ConfigMap', 'two')),
    );
    expect(shop).toMatchObject({ serving: true });
    expect(blog?.failure).toMatch(/configmaps is forbidden: User "nobody"/);
    const [more] = await pass(
      engine,
      wants('shop', object('ConfigMap', 'one'), object('Secret', 'a')),
    );
    expect(more?.failure).toMatch(/secrets is forbidden: User "system:serviceaccount:shop:deploy"/);
  });

  it('delete as the account too', async () => {
    const engine = start({ shop: ACCOUNT });
    await pass(engine, wants('shop', object('ConfigMap', 'three')));
    const other = start({ shop: 'nobody' });
    await pass(other, wants('shop'));
    const path = '/api/v1/namespaces/shop/configmaps/three';
    await expect(hand.call({ method: 'GET', path }, NEVER)).resolves.toMatchObject({ status: 200 });
    await pass(engine, wants('shop'));
    await expect(hand.call({ method: 'GET', path }, NEVER)).rejects.toThrow(/not found/i);
  });

  it('leave those that have none to Windlass itself', async () => {
    const [status] = await pass(start({ shop: ACCOUNT }), wants('blog', object('Secret', 'b')));
    expect(status).toMatchObject({ serving: true });
  });

  it('are refused where the kubeconfig acts as somebody already', async () => {
    const client = createKubeClient(
      { server: api?.url ?? '', user: { impersonate: { user: 'ann', groups: [] } } },
      {},
    );
    const request = { method: 'GET' as const, path: '/api/v1/namespaces/shop', as: ACCOUNT };
    await expect(client.call(request, NEVER)).rejects.toThrow('the kubeconfig says as whom');
    client.close();
  });
});
