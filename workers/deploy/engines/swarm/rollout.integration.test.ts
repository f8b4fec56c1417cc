import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { desire, never, settle, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

const NODE_PORT = 30_081;
const SETTLE_MS = 180_000;
/** Four clients ask for two seconds; prints each answer once, and every error. */
const ASK = `
const end = Date.now() + 2000;
const answers = new Set();
async function ask() {
  do {
    const answer = await fetch('http://127.0.0.1:${NODE_PORT}/', { signal: AbortSignal.timeout(20_000) });
    answers.add(answer.status + ' ' + (await answer.text()).trim());
  } while (Date.now() < end);
}
await Promise.all([ask(), ask(), ask(), ask()].map((asking) =>
  asking.catch((error) => answers.add(String(error.cause?.code ?? error.name)))));
process.stdout.write(JSON.stringify([...answers]));
`;

let swarm: OwnSwarm;
beforeAll(async () => {
  swarm = await startOwnSwarm();
});
afterAll(() => swarm?.stop());

/** Is ready some time after it runs, or never. */
function app(text: string, { replicas = 1, ready = true } = {}): Resource[] {
  const labels = { app: 'web' };
  const readyLater = ready ? '(sleep 3; touch /www/ready) &' : '';
  const script = `echo begins; mkdir /www; echo ${text} > /www/index.html; ${readyLater} exec httpd -f -p 8080 -h /www`;
  const container = {
    name: 'web',
    image: SYSTEM_IMAGES.sandbox,
    command: ['sh', '-c', script],
    readinessProbe: { httpGet: { port: 8080, path: '/ready' }, periodSeconds: 1 },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas,
        progressDeadlineSeconds: 20,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 5, containers: [container] },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        type: 'NodePort',
        selector: labels,
        ports: [{ port: 80, targetPort: 8080, nodePort: NODE_PORT, appProtocol: 'http' }],
      },
    },
  ];
}

async function ask(): Promise<string[]> {
  const args = [process.execPath, '--input-type=module', '-e', ASK];
  return JSON.parse(await swarm.run(args)) as string[];
}

it('replaces its tasks under traffic, and fails no request', async () => {
  const replicas = 2;
  const engine = swarm.startEngine();
  await settle(engine, desire(app('one', { replicas })), undefined, SETTLE_MS);
  expect(await ask()).toEqual(['200 one']);
  let isOver = false;
  const rolling = settle(engine, desire(app('two', { replicas })), undefined, SETTLE_MS).finally(
    () => {
      isOver = true;
    },
  );
  const answers = new Set<string>();
  while (!isOver) for (const answer of await ask()) answers.add(answer);
  await rolling;
  for (const answer of answers) expect(answer).toMatch(/^200 (one|two)$/);
  expect(answers).toContain('200 one');
  expect(await ask()).toEqual(['200 two']);
  await settle(engine, desire([]), undefined, SETTLE_MS);
  await engine.close();
});

it('goes on with what serves where the new never becomes ready', async () => {
  const engine = swarm.startEngine();
  await settle(engine, desire(app('one')), undefined, SETTLE_MS);
  const bad = desire(app('two', { ready: false }));
  const { failure } = await settle(
    engine,
    bad,
    (status) => status.failure !== undefined,
    SETTLE_MS,
  );
  expect(failure).toMatch(/^Deployment web: not ready after 20 s: readiness probe: HTTP 404/);
  expect(await ask()).toEqual(['200 one']);
  await settle(engine, desire(app('one')), undefined, SETTLE_MS);
  expect(await ask()).toEqual(['200 one']);
  await settle(engine, desire([]), undefined, SETTLE_MS);
  await engine.close();
});

it('waits for what is not ready after the worker was started anew', async () => {
  const first = swarm.startEngine({ installation: 'anew' });
  await settle(first, desire(app('one')), undefined, SETTLE_MS);
  const bad = desire(app('two', { ready: false }));
  function isRunning({ resources }: OwnerStatus): boolean {
    return resources[0]?.health.reason.includes('HTTP 404') === true;
  }
  await settle(first, bad, isRunning, SETTLE_MS);
  await first.close();
  const second = swarm.startEngine({ installation: 'anew' });
  await settle(second, bad, isRunning, SETTLE_MS);
  expect(await ask()).toEqual(['200 one']);
  const { services } = await second.fleet(never);
  const owned = services.flatMap(({ name, owner }) => (owner === undefined ? [] : [name]));
  expect([services.length, ...owned]).toEqual([2, 'Deployment/default/web']);
  const target = { namespace: 'default', workload: 'Deployment/default/web' };
  const pods = new Set<string>();
  for await (const { pod } of second.logs(target, { follow: false }, never)) pods.add(pod);
  expect(pods.size).toBe(2);
  await settle(second, desire([]), undefined, SETTLE_MS);
  await second.close();
});
