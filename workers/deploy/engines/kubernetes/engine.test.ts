import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type { Reconciliation } from '#core/engine.ts';
import { createKubernetesEngine } from './engine.ts';
import { startApiStandIn } from './testing/api-stand-in.ts';
import type { ApiStandIn } from './testing/api-stand-in.ts';
import { describeKubernetesEngine } from './testing/engine-suite.ts';
import { giveShippedRights, shippedRights } from './testing/shipped-rights.ts';

const NEVER = new AbortController().signal;
let api: ApiStandIn | undefined;

beforeAll(async () => {
  api = await startApiStandIn();
});
afterAll(async () => {
  await api?.close();
});

function connect(as?: string): KubeClient {
  const user = as === undefined ? {} : { impersonate: { user: as, groups: [] } };
  return createKubeClient({ server: api?.url ?? '', user }, {});
}

describeKubernetesEngine('stand-in', (as) => Promise.resolve(connect(as)));

let account = '';
describeKubernetesEngine(
  'stand-in, as the ServiceAccount that is shipped',
  (as) => Promise.resolve(connect(as)),
  async (hand, id, group) => {
    const given = await giveShippedRights(hand, id, group);
    account = given.name;
    return given;
  },
);

it('ships no right to objects that is not needed', async () => {
  const used = [...(api?.used(account) ?? [])].map((each) => each.split(' '));
  function verbsUsed(isThere: (namespace: string) => boolean): Set<string | undefined> {
    const found = used.filter(
      ([, plural, , namespace = '']) => plural === 'configmaps' && isThere(namespace),
    );
    return new Set(found.map(([verb]) => verb));
  }
  const rules = (await shippedRights()).flatMap((each) =>
    (each.rules ?? []).map((rule) => ({ rule, kind: each.kind })),
  );
  const general = rules.filter(
    ({ kind, rule }) => kind === 'ClusterRole' && rule.verbs.includes('watch'),
  );
  for (const { rule } of general)
    expect(new Set(rule.verbs)).toEqual(verbsUsed((namespace) => namespace !== 'windlass'));
  const inventories = rules.find(({ kind }) => kind === 'Role');
  expect(new Set(inventories?.rule.verbs)).toEqual(
    verbsUsed((namespace) => namespace === 'windlass'),
  );
});

it.each([
  ['broke off', (server: ApiStandIn) => server.breakWatches()],
  [
    'broke off, and the server forgot what was before',
    (server: ApiStandIn) => server.forgetHistory(),
  ],
])('hears of changes after its watches %s', async (_, harm) => {
  const hand = connect();
  const engine = createKubernetesEngine({
    cluster: 'test',
    installation: 'watches',
    sealKey: 'k',
    log: pino({ level: 'silent' }),
    client: connect(),
  });
  const name = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'watched' } };
  const one = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'one', namespace: 'watched' },
  };
  const desired = [{ owner: 'a/b', release: 'r', resources: [name, { ...one, data: { a: '1' } }] }];
  await engine.reconcile(desired, NEVER);
  if (api !== undefined) harm(api);
  const path = '/api/v1/namespaces/watched/configmaps/one';
  const contentType = 'application/merge-patch+json';
  const body = { data: { a: 'by hand' } };
  await hand.call({ method: 'PATCH', path, contentType, body }, NEVER);
  // What was found as wanted is not asked about: only a watch can tell.
  let done: Reconciliation['done'] = [];
  while (done.length === 0) {
    await sleep(100);
    ({ done } = await engine.reconcile(desired, NEVER));
  }
  expect(done[0]?.plan[0]?.fields).toEqual([{ path: 'data.a', current: 'by hand', desired: '1' }]);
  await engine.reconcile([{ owner: 'a/b', release: '', resources: [] }], NEVER);
  await engine.close();
  hand.close();
});
