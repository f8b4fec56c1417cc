import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { createKubernetesEngine } from './engine.ts';
import { enterCluster } from './testing/cluster-guest.ts';
import { connectCluster, connectWithToken } from './testing/connect-cluster.ts';
import { passesUntil } from './testing/passes.ts';
import { giveShippedRights } from './testing/shipped-rights.ts';

const NEVER = new AbortController().signal;
const RBAC = 'rbac.authorization.k8s.io';
/** Of the ServiceAccounts that the shipped rights let Windlass act as. */
const ACCOUNT = 'windlass-deploy';

it('pipelines act as accounts of the name that the shipped rights say, and as no other', async () => {
  const id = randomBytes(4).toString('hex');
  const hand = await connectCluster();
  const guest = await enterCluster(hand, id, (owner) => owner.endsWith(`-${id}/prod`));
  const rights = await giveShippedRights(hand, id, guest.group);
  const worker = await makeWorker(hand, rights.name);
  const { namespace } = guest;
  await makeAccounts(hand, namespace);
  const engine = createKubernetesEngine({
    cluster: 'test',
    installation: id,
    sealKey: 'k',
    accounts: { [`shop-${id}`]: nameOf(ACCOUNT), '*': nameOf('other') },
    log: pino({ level: 'silent' }),
    client: await connectWithToken(worker.token),
  });
  onTestFinished(async () => {
    await engine.close();
    await worker.remove();
    await rights.remove();
    await guest.leave();
    hand.close();
  });

  function nameOf(account: string): string {
    return `system:serviceaccount:${namespace}:${account}`;
  }
  function wants(pipeline: string, kind: string, name: string): DesiredState {
    const resource = { apiVersion: 'v1', kind, metadata: { name, namespace } };
    return { owner: `${pipeline}-${id}/prod`, release: 'r1', resources: [resource] };
  }
  function told({ serving, failure }: OwnerStatus): boolean {
    return serving || failure !== undefined;
  }

  const shop = await passesUntil(engine, wants('shop', 'ConfigMap', 'one'), told);
  expect(shop).toMatchObject({ serving: true });
  const beyond = await passesUntil(engine, wants('shop', 'Secret', 'two'), told);
  expect(beyond.failure).toContain(`is forbidden: User "${nameOf(ACCOUNT)}"`);
  const blog = await passesUntil(engine, wants('blog', 'ConfigMap', 'three'), told);
  expect(blog.failure).toMatch(/"other" is forbidden: .*cannot impersonate/);
});

/** The account with its token, by which the API server knows it. */
async function makeWorker(
  hand: KubeClient,
  fullName: string,
): Promise<{ token: string; remove(): Promise<void> }> {
  const [, , namespace = '', name = ''] = fullName.split(':');
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await post(hand, accounts, { metadata: { name } });
  const path = `${accounts}/${name}/token`;
  const request = { method: 'POST' as const, path, body: { spec: { expirationSeconds: 3_600 } } };
  const { body } = await hand.call<{ status: { token: string } }>(request, NEVER);
  return {
    token: body.status.token,
    async remove() {
      await hand.call({ method: 'DELETE', path: `${accounts}/${name}` }, NEVER);
    },
  };
}

/** Both may have ConfigMaps of the namespace. */
async function makeAccounts(hand: KubeClient, namespace: string): Promise<void> {
  const names = [ACCOUNT, 'other'];
  const metadata = { name: 'deploy' };
  const roles = `/apis/${RBAC}/v1/namespaces/${namespace}`;
  for (const name of names)
    await post(hand, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  await post(hand, `${roles}/roles`, {
    metadata,
    rules: [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create', 'patch', 'delete'] },
    ],
  });
  await post(hand, `${roles}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: RBAC, kind: 'Role', name: metadata.name },
    subjects: names.map((name) => ({ kind: 'ServiceAccount', name, namespace })),
  });
}

async function post(hand: KubeClient, path: string, body: object): Promise<void> {
  await hand.call({ method: 'POST', path, body }, NEVER);
}
