import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ApiRequest, KubeClient } from '#adapters/kubernetes/client.ts';
import { isApiStatus } from '#adapters/kubernetes/api-error.ts';
import type { DesiredState, Engine, OwnerStatus, Reconciliation } from '#core/engine.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from '../engine.ts';
import { enterCluster } from './cluster-guest.ts';
import type { ClusterGuest } from './cluster-guest.ts';
import type { Account } from './shipped-rights.ts';

const SETTLE_MS = 60_000;
const NEVER = new AbortController().signal;
const CONFIG_MAPS = 'configmaps';

/**
 * What every API server must be to the engine; `connect` opens a client of one, `as` some other account. `makeAccount`: the
 * engine acts as that one.
 */
export function describeKubernetesEngine(
  name: string,
  connect: (as?: string) => Promise<KubeClient>,
  makeAccount?: (hand: KubeClient, id: string, group: string) => Promise<Account>,
): void {
  describe(`kubernetes engine: ${name}`, () => {
    const id = randomBytes(4).toString('hex');
    const namespace = `windlass-test-${id}`;
    const installation = `test-${id}`;
    const engines: Engine[] = [];
    const written: ApiRequest[] = [];
    let asked: ApiRequest[] = [];
    let hand: KubeClient;
    let guest: ClusterGuest;
    let account: Account | undefined;

    function owner(entry: string): string {
      return `${id}/${entry}`;
    }

    /** An engine as after a restart: it knows nothing but what the cluster tells. */
    async function start(as?: string): Promise<Engine> {
      const client = await connect(as ?? account?.name);
      const engine = createKubernetesEngine({
        cluster: 'test',
        installation,
        sealKey: 'k',
        log: pino({ level: 'silent' }),
        client: {
          ...client,
          call(request, signal) {
            asked.push(request);
            if (request.method !== 'GET' && request.query?.['dryRun'] === undefined)
              written.push(request);
            return client.call(request, signal);
          },
        },
      });
      engines.push(engine);
      return engine;
    }

    function configMap(
      key: string,
      data: Record<string, string>,
      annotations: Record<string, string> = {},
    ): Resource {
      return {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: key, namespace, annotations },
        data,
      };
    }

    function desire(
      entry: string,
      resources: Resource[],
      guard?: DesiredState['guard'],
    ): DesiredState {
      return {
        owner: owner(entry),
        release: 'r1',
        resources,
        ...(guard === undefined ? {} : { guard }),
      };
    }

    function pathOf(plural: string, key: string, api: string): string {
      return `/${api}/namespaces/${namespace}/${plural}/${key}`;
    }

    async function read(
      plural: string,
      key: string,
      api = 'api/v1',
    ): Promise<LiveObject | undefined> {
      try {
        const path = pathOf(plural, key, api);
        return (await hand.call<LiveObject>({ method: 'GET', path }, NEVER)).body;
      } catch (error) {
        if (isApiStatus(error, 404)) return undefined;
        throw error;
      }
    }

    async function edit(key: string, patch: unknown, manager = 'kubectl-edit'): Promise<void> {
      await hand.call(
        {
          method: 'PATCH',
          path: `/api/v1/namespaces/${namespace}/${CONFIG_MAPS}/${key}`,
          query: { fieldManager: manager },
          contentType: 'application/merge-patch+json',
          body: patch,
        },
        NEVER,
      );
    }

    async function make(resource: Resource): Promise<void> {
      const path = `/api/v1/namespaces/${namespace}/${CONFIG_MAPS}`;
      await hand.call(
        { method: 'POST', path, query: { fieldManager: 'kubectl-create' }, body: resource },
        NEVER,
      );
    }

    beforeAll(async () => {
      hand = await connect();
      guest = await enterCluster(hand, id);
      account = await makeAccount?.(hand, id, guest.group);
    });

    afterEach(async () => {
      const engine = await start();
      const { orphans } = await engine.reconcile([], NEVER);
      const gone = orphans.map((each): DesiredState => ({
        owner: each.owner,
        release: '',
        resources: [],
      }));
      await settle(engine, gone, ({ plan, resources }) => plan.length + resources.length === 0);
      await Promise.all(engines.splice(0).map((each) => each.close()));
    });

    afterAll(async () => {
      await account?.remove();
      await guest.leave();
      hand.close();
    });

    it('makes what is wanted, and after that asks nothing', async () => {
      const engine = await start();
      const desired = desire('a', [configMap('one', { a: '1' }), configMap('two', { b: '2' })]);
      expect(
        (await engine.plan(desired, NEVER)).map(({ action, key }) => `${action} ${key}`),
      ).toEqual([`create ConfigMap/${namespace}/one`, `create ConfigMap/${namespace}/two`]);
      expect(await read(CONFIG_MAPS, 'one')).toBeUndefined();
      const status = await settle(engine, [desired]);
      expect(status.resources.map(({ health }) => health.status)).toEqual(['Healthy', 'Healthy']);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ a: '1' });
      asked = [];
      for (let pass = 0; pass < 10; pass += 1) await engine.reconcile([desired], NEVER);
      expect(asked).toEqual([]);
    });

    it('writes nothing after a restart', async () => {
      const desired = desire('a', [configMap('one', { a: '1' })]);
      await settle(await start(), [desired]);
      written.length = 0;
      asked = [];
      const status = await settle(await start(), [desired]);
      expect(status.plan).toEqual([]);
      expect(written).toEqual([]);
      const about = asked.filter(({ path }) => path.endsWith('/one'));
      expect(about).toEqual([]);
    });

    it('tells of an owner that nobody asks about', async () => {
      await settle(await start(), [desire('lost', [configMap('one', { a: '1' })])]);
      const { orphans } = await (await start()).reconcile([], NEVER);
      expect(orphans).toEqual([
        { owner: owner('lost'), resources: [`ConfigMap/${namespace}/one`], pods: 0 },
      ]);
    });

    it('takes away a field that git has no more', async () => {
      const engine = await start();
      await settle(engine, [desire('a', [configMap('one', { a: '1', b: '2' })])]);
      const next = desire('a', [configMap('one', { a: '1' })]);
      expect((await engine.plan(next, NEVER))[0]?.fields).toEqual([
        { path: 'data.b', current: '2' },
      ]);
      await settle(engine, [next]);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ a: '1' });
    });

    it('sees what somebody changes, says who, and puts it right', async () => {
      const engine = await start();
      const desired = desire('a', [configMap('one', { a: '1' })]);
      await settle(engine, [desired]);
      const stop = new AbortController();
      const heard = Promise.withResolvers<string>();
      const watching = engine.watch(heard.resolve, stop.signal);
      await edit('one', { data: { a: 'by hand' } });
      await heard.promise;
      stop.abort();
      await watching;
      let done: Reconciliation['done'] = [];
      // What was heard may be our own change.
      while (done.length === 0) {
        await sleep(100);
        ({ done } = await engine.reconcile([desired], NEVER));
      }
      expect(done).toEqual([
        {
          owner: owner('a'),
          plan: [
            {
              action: 'update',
              key: `ConfigMap/${namespace}/one`,
              fields: [{ path: 'data.a', current: 'by hand', desired: '1' }],
              reason: 'set by kubectl-edit',
            },
          ],
        },
      ]);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ a: '1' });
    });

    it('makes again what somebody has deleted', async () => {
      const engine = await start();
      const desired = desire('a', [configMap('one', { a: '1' })]);
      await settle(engine, [desired]);
      await hand.call(
        { method: 'DELETE', path: `/api/v1/namespaces/${namespace}/${CONFIG_MAPS}/one` },
        NEVER,
      );
      const deadline = Date.now() + SETTLE_MS;
      let there: LiveObject | undefined;
      while (there === undefined && Date.now() < deadline) {
        await engine.reconcile([desired], NEVER);
        there = await read(CONFIG_MAPS, 'one');
      }
      expect(there?.['data']).toEqual({ a: '1' });
    });

    it('puts right, at ever longer pauses, what another keeps changing', async () => {
      const engine = await start();
      const desired = desire('a', [configMap('one', { a: '1' })]);
      await settle(engine, [desired]);
      let status: OwnerStatus | undefined;
      await until(async () => {
        if ((await read(CONFIG_MAPS, 'one'))?.['data'] !== undefined)
          await edit('one', { data: { a: 'other' } }, 'their-controller');
        await sleep(300);
        [status] = (await engine.reconcile([desired], NEVER)).owners;
        return status?.plan[0]?.reason?.includes('again in') === true;
      });
      expect(status?.plan[0]?.reason).toMatch(
        /^set by their-controller: put right \d times, again in \d+ s$/,
      );
      expect(status?.serving).toBe(false);
    });

    it('leaves alone what is to be left alone, and gives it at first', async () => {
      const engine = await start();
      const notes = { 'windlass.dev/ignore-differences': 'data.size' };
      await settle(engine, [desire('a', [configMap('one', { size: '1', other: 'x' }, notes)])]);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ size: '1', other: 'x' });
      await edit('one', { data: { size: '9' } }, 'autoscaler');
      await sleep(300);
      const next = desire('a', [configMap('one', { size: '1', other: 'y' }, notes)]);
      await settle(engine, [next]);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ size: '9', other: 'y' });
    });

    it('leaves alone what is of a manager that is to be left alone', async () => {
      const engine = await start();
      const notes = { 'windlass.dev/ignore-managers': 'autoscaler' };
      const desired = desire('a', [configMap('one', { size: '1' }, notes)]);
      await settle(engine, [desired]);
      await edit('one', { data: { size: '9' } }, 'autoscaler');
      await sleep(300);
      await settle(engine, [desired]);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ size: '9' });
    });

    it('leaves a field that git never had', async () => {
      const engine = await start();
      await settle(engine, [desire('a', [configMap('one', { a: '1' })])]);
      await edit('one', { data: { b: 'by hand' }, metadata: { labels: { theirs: 'x' } } });
      await sleep(300);
      const status = await settle(engine, [desire('a', [configMap('one', { a: '1' })])]);
      expect(status.plan).toEqual([]);
      await settle(engine, [desire('a', [configMap('one', { a: '2' })])]);
      const one = await read(CONFIG_MAPS, 'one');
      expect(one?.['data']).toEqual({ a: '2', b: 'by hand' });
      expect(one?.metadata.labels?.['theirs']).toBe('x');
    });

    it('fails only the owner of a kind that the account may not read', async () => {
      const reader = `windlass-test-reader-${id}`;
      const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
      function role(resources: readonly string[]): { rules: unknown } {
        return { rules: [{ apiGroups: [''], resources, verbs }] };
      }
      const roles = '/apis/rbac.authorization.k8s.io/v1';
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: reader };
      const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: reader }];
      const path = `${roles}/clusterroles`;
      const bindings = `${roles}/clusterrolebindings`;
      const metadata = { name: reader };
      const may = ['configmaps', 'namespaces'];
      await hand.call({ method: 'POST', path, body: { metadata, ...role(may) } }, NEVER);
      await hand.call(
        { method: 'POST', path: bindings, body: { metadata, roleRef, subjects } },
        NEVER,
      );
      try {
        const engine = await start(reader);
        const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace } };
        const not = desire('not', [configMap('two', { a: '1' }), secret]);
        const both = [desire('well', [configMap('one', { a: '1' })]), not];
        let owners: readonly OwnerStatus[] = [];
        await until(async () => {
          ({ owners } = await engine.reconcile(both, NEVER));
          return owners[0]?.serving === true;
        });
        expect(owners[1]?.failure).toMatch(/secrets is forbidden: User "windlass-test-/);
        await expect(engine.plan(not, NEVER)).rejects.toThrow(/secrets is forbidden/);
        expect(await read(CONFIG_MAPS, 'two')).toBeUndefined();
        await hand.call(
          {
            method: 'PATCH',
            path: `${path}/${reader}`,
            contentType: 'application/merge-patch+json',
            body: role([...may, 'secrets']),
          },
          NEVER,
        );
        await settle(engine, both);
        expect(await read('secrets', 's')).toBeDefined();
      } finally {
        await hand.call({ method: 'DELETE', path: `${bindings}/${reader}` }, NEVER);
        await hand.call({ method: 'DELETE', path: `${path}/${reader}` }, NEVER);
      }
    });

    it('touches nothing that it did not make', async () => {
      await make(configMap('theirs', { a: 'theirs' }));
      const engine = await start();
      const desired = desire('a', [configMap('theirs', { a: '1' }), configMap('mine', { b: '2' })]);
      const status = await settle(engine, [desired], ({ failure }) => failure !== undefined);
      expect(status.failure).toMatch(/theirs is there already, and Windlass did not make it/);
      expect((await read(CONFIG_MAPS, 'theirs'))?.['data']).toEqual({ a: 'theirs' });
      expect(await read(CONFIG_MAPS, 'mine')).toBeUndefined();
    });

    it('takes over what it is asked to, and leaves it when it is not wanted any more', async () => {
      await make(configMap('adopted', { a: 'theirs', b: 'kept' }));
      const engine = await start();
      const notes = { 'windlass.dev/adopt': 'true' };
      await settle(engine, [desire('a', [configMap('adopted', { a: '1' }, notes)])]);
      expect((await read(CONFIG_MAPS, 'adopted'))?.['data']).toEqual({ a: '1', b: 'kept' });
      await settle(engine, [desire('a', [])]);
      expect(await read(CONFIG_MAPS, 'adopted')).toBeDefined();
    });

    it('is told whose field it may not have, and takes it where it is asked to', async () => {
      const engine = await start();
      await settle(engine, [desire('a', [configMap('one', { a: '1' })])]);
      await edit('one', { data: { b: 'theirs' } }, 'their-controller');
      await sleep(300);
      const next = desire('a', [configMap('one', { a: '1', b: '2' })]);
      const status = await settle(engine, [next], ({ failure }) => failure !== undefined);
      expect(status.failure).toContain('data.b is set by their-controller');
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ a: '1', b: 'theirs' });
      const notes = { 'windlass.dev/force-conflicts': 'true' };
      await settle(engine, [desire('a', [configMap('one', { a: '1', b: '2' }, notes)])]);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ a: '1', b: '2' });
    });

    it('deletes what is not wanted any more, but what is to be kept', async () => {
      const engine = await start();
      const kept = configMap('kept', { a: '1' }, { 'windlass.dev/prune': 'false' });
      await settle(engine, [
        desire('a', [configMap('one', { a: '1' }), configMap('two', {}), kept]),
      ]);
      const next = desire('a', [configMap('two', {})]);
      expect((await engine.plan(next, NEVER)).map(({ action, key }) => `${action} ${key}`)).toEqual(
        [`delete ConfigMap/${namespace}/one`],
      );
      await settle(engine, [next]);
      expect(await read(CONFIG_MAPS, 'one')).toBeUndefined();
      expect(await read(CONFIG_MAPS, 'kept')).toBeDefined();
    });

    it('makes a NetworkPolicy, puts it right, and takes it away', async () => {
      const engine = await start();
      const api = 'apis/networking.k8s.io/v1';
      function policy(port: number): Resource {
        return {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'NetworkPolicy',
          metadata: { name: 'few', namespace },
          spec: { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ ports: [{ port }] }] },
        };
      }
      async function port(): Promise<unknown> {
        const spec = (await read('networkpolicies', 'few', api))?.['spec'];
        return (spec as { ingress?: { ports: { port: number }[] }[] }).ingress?.[0]?.ports[0]?.port;
      }
      await settle(engine, [desire('a', [policy(80)])]);
      expect(await port()).toBe(80);
      const [change] = await engine.plan(desire('a', [policy(81)]), NEVER);
      expect(change).toMatchObject({
        action: 'update',
        fields: [{ path: expect.stringContaining('ingress') }],
      });
      await settle(engine, [desire('a', [policy(81)])]);
      await hand.call(
        {
          method: 'PATCH',
          path: pathOf('networkpolicies', 'few', api),
          query: { fieldManager: 'kubectl-edit' },
          contentType: 'application/merge-patch+json',
          body: { spec: { ingress: [{ ports: [{ port: 82 }] }] } },
        },
        NEVER,
      );
      await until(async () => {
        await engine.reconcile([desire('a', [policy(81)])], NEVER);
        return (await port()) === 81;
      });
      await settle(engine, [desire('a', [])]);
      expect(await read('networkpolicies', 'few', api)).toBeUndefined();
    });

    it('holds back deletions that are many', async () => {
      const engine = await start();
      const all = ['a', 'b', 'c', 'd'].map((key) => configMap(key, {}));
      await settle(engine, [desire('many', all)]);
      const guard = { share: 0.3, atLeast: 3 };
      const status = await settle(engine, [desire('many', [], guard)]);
      expect(status.held.map(({ key }) => key)).toHaveLength(4);
      expect(await read(CONFIG_MAPS, 'a')).toBeDefined();
    });

    it('waits for a finalizer, and says so', async () => {
      const engine = await start();
      await settle(engine, [desire('a', [configMap('one', {}), configMap('two', {})])]);
      await edit('one', { metadata: { finalizers: ['example.com/wait'] } });
      const next = desire('a', [configMap('two', {})]);
      const status = await settle(engine, [next], ({ plan }) =>
        (plan[0]?.reason ?? '').includes('waits for example.com/wait'),
      );
      expect(status.serving).toBe(false);
      await edit('one', { metadata: { finalizers: null } });
      await settle(engine, [next]);
      expect(await read(CONFIG_MAPS, 'one')).toBeUndefined();
    });

    it('hands an object from one owner to another without deleting it', async () => {
      const engine = await start();
      const object = configMap('one', { a: '1' });
      await settle(engine, [desire('from', [object, configMap('stays', {})]), desire('to', [])]);
      const before = (await read(CONFIG_MAPS, 'one'))?.metadata.uid;
      const next = [desire('from', [configMap('stays', {})]), desire('to', [object])];
      await settle(engine, next);
      await settle(engine, next.toReversed());
      expect((await read(CONFIG_MAPS, 'one'))?.metadata.uid).toBe(before);
      const { orphans } = await engine.reconcile([], NEVER);
      expect(orphans.map(({ owner: of, resources }) => [of, resources])).toEqual([
        [owner('from'), [`ConfigMap/${namespace}/stays`]],
        [owner('to'), [`ConfigMap/${namespace}/one`]],
      ]);
    });

    it('refuses what another owner has', async () => {
      const engine = await start();
      const both = [
        desire('first', [configMap('one', { a: '1' })]),
        desire('second', [configMap('one', { a: '2' })]),
      ];
      await settle(engine, both.slice(0, 1));
      const { owners } = await engine.reconcile(both, NEVER);
      expect(owners.map(({ failure }) => failure)).toEqual([
        undefined,
        expect.stringMatching(
          `belongs to ${owner('first')}, so ${owner('second')} cannot have it too`,
        ),
      ]);
      expect((await read(CONFIG_MAPS, 'one'))?.['data']).toEqual({ a: '1' });
    });

    it('says the way out where a field cannot be changed, and takes it where it is asked to', async () => {
      const engine = await start();
      const fixed = { ...configMap('fixed', { a: '1' }), immutable: true };
      await settle(engine, [desire('a', [fixed])]);
      const before = (await read(CONFIG_MAPS, 'fixed'))?.metadata.uid;
      const next = { ...configMap('fixed', { a: '2' }), immutable: true };
      const status = await settle(
        engine,
        [desire('a', [next])],
        ({ failure }) => failure !== undefined,
      );
      expect(status.failure).toMatch(/immutable.*windlass.dev\/replace: "true"/s);
      const notes = { 'windlass.dev/replace': 'true' };
      await settle(engine, [
        desire('a', [{ ...configMap('fixed', { a: '2' }, notes), immutable: true }]),
      ]);
      const after = await read(CONFIG_MAPS, 'fixed');
      expect(after?.['data']).toEqual({ a: '2' });
      expect(after?.metadata.uid).not.toBe(before);
    });

    it('shows that a Secret differs, and no value of it', async () => {
      const engine = await start();
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace } };
      await settle(engine, [desire('a', [{ ...secret, stringData: { key: 'hunter2' } }])]);
      expect((await read('secrets', 's'))?.['data']).toEqual({ key: 'aHVudGVyMg==' });
      // The same in other words.
      const same = desire('a', [{ ...secret, data: { key: 'aHVudGVyMg==' } }]);
      expect(await engine.plan(same, NEVER)).toEqual([]);
      const next = desire('a', [{ ...secret, stringData: { key: 'hunter3' } }]);
      expect((await engine.plan(next, NEVER))[0]?.fields).toEqual([
        { path: 'data.key', current: '*** (before)', desired: '*** (after)' },
      ]);
      await settle(engine, [next]);
    });

    it('makes a kind and what is of it, wherever they are written', async () => {
      const engine = await start();
      const { group } = guest;
      const own = {
        apiVersion: `${group}/v1`,
        kind: 'Gadget',
        metadata: { name: 'g', namespace },
        spec: { size: 3 },
      };
      const desired = desire('a', [own, definition(group)]);
      const status = await settle(engine, [desired]);
      expect(status.resources.map(({ key }) => key)).toEqual([
        `CustomResourceDefinition//gadgets.${group}`,
        `Gadget/${namespace}/g`,
      ]);
      const path = `/apis/${group}/v1/namespaces/${namespace}/gadgets/g`;
      const { body } = await hand.call<LiveObject>({ method: 'GET', path }, NEVER);
      expect(body['spec']).toEqual({ size: 3 });
    });

    it('says what kind the cluster does not have', async () => {
      const unknown = {
        apiVersion: 'apps/v1beta9',
        kind: 'Deployment',
        metadata: { name: 'x', namespace },
      };
      const { owners } = await (await start()).reconcile([desire('a', [unknown])], NEVER);
      expect(owners[0]?.failure).toMatch(
        /the cluster has no Deployment in apps\/v1beta9: it has Deployment in apps\/v1/,
      );
    });

    it('makes a namespace and what is in it at once', async () => {
      const engine = await start();
      const other = `${namespace}-other`;
      const desired = desire('ns', [
        { ...configMap('in', { a: '1' }), metadata: { name: 'in', namespace: other } },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: other } },
      ]);
      await settle(engine, [desired]);
      const path = `/api/v1/namespaces/${other}/${CONFIG_MAPS}/in`;
      expect((await hand.call<LiveObject>({ method: 'GET', path }, NEVER)).body['data']).toEqual({
        a: '1',
      });
    });

    it('does not ask about all that is in a namespace which is not there yet', async () => {
      const engine = await start();
      const other = `${namespace}-new`;
      const maps = Array.from({ length: 40 }, (_, index) => ({
        ...configMap('', {}),
        metadata: { name: `in-${index}`, namespace: other },
      }));
      const place = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: other } };
      asked = [];
      await engine.plan(desire('ns', [place, ...maps]), NEVER);
      const looks = asked.filter(({ method }) => method === 'PATCH');
      // Those that are under way when the first is answered.
      expect(looks.length).toBeLessThan(maps.length);
    });

    it('says that there is no namespace, and does nothing', async () => {
      const lost = {
        ...configMap('x', {}),
        metadata: { name: 'x', namespace: 'windlass-nowhere' },
      };
      const desired = desire('a', [lost, configMap('one', { a: '1' })]);
      const { owners } = await (await start()).reconcile([desired], NEVER);
      expect(owners[0]?.failure).toMatch(/there is no namespace windlass-nowhere: add it/);
      expect(await read(CONFIG_MAPS, 'one')).toBeUndefined();
    });

    it('only tells what it would do for an owner that is suspended', async () => {
      const engine = await start();
      const desired = { ...desire('a', [configMap('one', { a: '1' })]), suspended: true };
      const { owners, done } = await engine.reconcile([desired], NEVER);
      expect(owners[0]?.plan.map(({ action }) => action)).toEqual(['create']);
      expect(done).toEqual([]);
      expect(await read(CONFIG_MAPS, 'one')).toBeUndefined();
    });
  });
}

function definition(group: string): Resource {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `gadgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind: 'Gadget', plural: 'gadgets', singular: 'gadget', listKind: 'GadgetList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
            },
          },
        },
      ],
    },
  };
}

/** Passes until all owners serve (or as asked), as the controller makes them; how the last one is. */
async function settle(
  engine: Engine,
  desired: readonly DesiredState[],
  isSettled: (status: OwnerStatus) => boolean = ({ serving }) => serving,
): Promise<OwnerStatus> {
  let last: OwnerStatus | undefined;
  await until(
    async () => {
      const { owners } = await engine.reconcile(desired, NEVER);
      last = owners.at(-1);
      return owners.every(isSettled);
    },
    () => JSON.stringify(last, undefined, 1),
  );
  return last ?? { owner: '', release: '', plan: [], held: [], resources: [], serving: true };
}

async function until(
  isSo: () => Promise<boolean>,
  tell: () => string = () => 'it never was',
): Promise<void> {
  const end = Date.now() + SETTLE_MS;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`did not settle: ${tell()}`);
    await sleep(100);
  }
}
