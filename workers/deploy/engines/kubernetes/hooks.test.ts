import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isApiStatus } from '#adapters/kubernetes/api-error.ts';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from './engine.ts';
import { startApiStandIn } from './testing/api-stand-in.ts';
import type { ApiStandIn } from './testing/api-stand-in.ts';

const NEVER = new AbortController().signal;
const OWNER = 'shop/prod';
let api: ApiStandIn | undefined;
let hand: KubeClient;
let engines: Engine[] = [];

beforeAll(async () => {
  api = await startApiStandIn();
  hand = createKubeClient({ server: api.url, user: {} }, {});
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  await hand.call({ method: 'POST', path: '/api/v1/namespaces', body }, NEVER);
});
afterEach(async () => {
  await until(
    start(),
    desire('gone', []),
    ({ resources, plan }) => resources.length + plan.length === 0,
  );
  for (const engine of engines) await engine.close();
  engines = [];
});
afterAll(async () => {
  hand.close();
  await api?.close();
});

/** An engine as after a restart. */
function start(): Engine {
  const engine = createKubernetesEngine({
    cluster: 'test',
    installation: 'test',
    sealKey: 'k',
    log: pino({ level: 'silent' }),
    client: createKubeClient({ server: api?.url ?? '', user: {} }, {}),
  });
  engines.push(engine);
  return engine;
}

function desire(release: string, resources: Resource[]): DesiredState {
  return { owner: OWNER, release, resources };
}

function configMap(name: string): Resource {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data: {} };
}

function pod(name: string, annotations: Record<string, string>): Resource {
  const spec = { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', annotations },
    spec,
  };
}

async function read(plural: string, name: string): Promise<LiveObject | undefined> {
  try {
    const path = `/api/v1/namespaces/shop/${plural}/${name}`;
    return (await hand.call<LiveObject>({ method: 'GET', path }, NEVER)).body;
  } catch (error) {
    if (isApiStatus(error, 404)) return undefined;
    throw error;
  }
}

function end(name: string, phase: 'Succeeded' | 'Failed'): Promise<void> {
  return tell(name, { phase, message: `it ${phase}`, conditions: [] });
}

/** As the kubelet does of a pod whose containers have started, and have no probe. */
function becomeReady(name: string): Promise<void> {
  return tell(name, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] });
}

async function tell(name: string, status: object): Promise<void> {
  const path = `/api/v1/namespaces/shop/pods/${name}`;
  await hand.call(
    {
      method: 'PATCH',
      path,
      query: { fieldManager: 'kubelet' },
      contentType: 'application/merge-patch+json',
      body: { status },
    },
    NEVER,
  );
}

async function until(
  engine: Engine,
  desired: DesiredState,
  isSo: (status: OwnerStatus) => boolean,
): Promise<OwnerStatus> {
  for (;;) {
    const [status] = (await engine.reconcile([desired], NEVER)).owners;
    if (status !== undefined && isSo(status)) return status;
    await sleep(20);
  }
}

async function untilThere(
  engine: Engine,
  desired: DesiredState,
  name: string,
): Promise<LiveObject> {
  for (;;) {
    await engine.reconcile([desired], NEVER);
    const found = await read('pods', name);
    if (found !== undefined) return found;
    await sleep(20);
  }
}

const BEFORE = { 'windlass.dev/hook': 'before' };

describe('hooks of a release', () => {
  it('run before everything else, also where another worker goes on', async () => {
    const desired = desire('r1', [configMap('web'), pod('migrate', BEFORE)]);
    await untilThere(start(), desired, 'migrate');
    expect(await read('configmaps', 'web')).toBeUndefined();
    const other = start();
    const [status] = (await other.reconcile([desired], NEVER)).owners;
    expect(status).toMatchObject({ serving: false });
    expect(status?.plan.map(({ action, key }) => `${action} ${key}`)).toEqual([
      'create Pod/shop/migrate',
      'create ConfigMap/shop/web',
    ]);
    await end('migrate', 'Succeeded');
    await until(other, desired, ({ serving }) => serving);
    expect(await read('configmaps', 'web')).toBeDefined();
    const made = await read('pods', 'migrate');
    const third = start();
    await until(third, desired, ({ serving }) => serving);
    expect((await read('pods', 'migrate'))?.metadata.uid).toBe(made?.metadata.uid);
    const next = { ...desired, release: 'r2' };
    const again = await (async () => {
      for (;;) {
        const found = await untilThere(third, next, 'migrate');
        if (found.metadata.uid !== made?.metadata.uid) return found;
      }
    })();
    expect(again.metadata.uid).not.toBe(made?.metadata.uid);
    await end('migrate', 'Succeeded');
    await until(third, next, ({ serving }) => serving);
  });

  it('are waited for while their pods are ready', async () => {
    const migrate = pod('migrate', { ...BEFORE, 'windlass.dev/hook-delete': 'succeeded' });
    const desired = desire('r1', [configMap('web'), migrate]);
    const engine = start();
    await untilThere(engine, desired, 'migrate');
    await becomeReady('migrate');
    const { resources } = await until(engine, desired, (status) =>
      status.resources.every(({ summary }) => summary !== 'hook, before: is not ready yet'),
    );
    expect(resources[0]).toMatchObject({ key: 'Pod/shop/migrate', summary: 'hook, before: runs' });
    expect(await read('pods', 'migrate')).toBeDefined();
    expect(await read('configmaps', 'web')).toBeUndefined();
    await end('migrate', 'Succeeded');
    await until(engine, desired, ({ serving }) => serving);
    expect(await read('pods', 'migrate')).toBeUndefined();
  });

  it('that fail let nothing be applied, and the hooks for a failure run first', async () => {
    const desired = desire('r1', [
      configMap('web'),
      pod('migrate', BEFORE),
      pod('tell', { 'windlass.dev/hook': 'failure', 'windlass.dev/hook-delete': 'succeeded' }),
    ]);
    const engine = start();
    await untilThere(engine, desired, 'migrate');
    await end('migrate', 'Failed');
    await untilThere(engine, desired, 'tell');
    const [failing] = (await engine.reconcile([desired], NEVER)).owners;
    expect(failing).not.toHaveProperty('failure');
    await end('tell', 'Succeeded');
    const { failure } = await until(engine, desired, (status) => status.failure !== undefined);
    expect(failure).toMatch(/migrate.*hook, before.*it Failed/);
    expect(await read('configmaps', 'web')).toBeUndefined();
    await until(engine, desired, () => true);
    expect(await read('pods', 'tell')).toBeUndefined();
  });

  it('run beside what is in their wave, and hold up what comes after it', async () => {
    const late = configMap('late');
    late.metadata.annotations = { 'windlass.dev/wave': '1' };
    const fill = pod('fill', {
      'argocd.argoproj.io/hook': 'Sync',
      'argocd.argoproj.io/hook-delete-policy': 'HookSucceeded',
    });
    const desired = desire('r1', [configMap('web'), fill, late]);
    await untilThere(start(), desired, 'fill');
    expect(await read('configmaps', 'web')).toBeDefined();
    const other = start();
    const [status] = (await other.reconcile([desired], NEVER)).owners;
    expect(status).toMatchObject({ serving: false });
    expect(await read('configmaps', 'late')).toBeUndefined();
    await end('fill', 'Succeeded');
    await until(other, desired, ({ serving }) => serving);
    expect(await read('configmaps', 'late')).toBeDefined();
    expect(await read('pods', 'fill')).toBeUndefined();
    const next = { ...desired, release: 'r2' };
    await untilThere(other, next, 'fill');
    await end('fill', 'Failed');
    const { failure } = await until(other, next, (each) => each.failure !== undefined);
    expect(failure).toMatch(/fill.*hook, sync.*it Failed/);
  });

  it('run after everything is well, and go when they are not in git any more', async () => {
    const check = pod('check', { 'argocd.argoproj.io/hook': 'PostSync' });
    const desired = desire('r1', [configMap('web'), check]);
    const engine = start();
    await untilThere(engine, desired, 'check');
    expect(await read('configmaps', 'web')).toBeDefined();
    await end('check', 'Succeeded');
    await until(engine, desired, ({ serving }) => serving);
    await until(engine, desire('r2', [configMap('web')]), ({ serving }) => serving);
    expect(await read('pods', 'check')).toBeUndefined();
  });

  it('take nothing that is somebody else’s', async () => {
    const { metadata, ...rest } = pod('migrate', {});
    const body = { ...rest, metadata };
    await hand.call({ method: 'POST', path: '/api/v1/namespaces/shop/pods', body }, NEVER);
    const desired = desire('r1', [configMap('web'), pod('migrate', BEFORE)]);
    const { failure } = await until(start(), desired, (status) => status.failure !== undefined);
    expect(failure).toContain('migrate is there already, and Windlass did not make it');
    expect(await read('configmaps', 'web')).toBeUndefined();
    await hand.call({ method: 'DELETE', path: '/api/v1/namespaces/shop/pods/migrate' }, NEVER);
  });
});
