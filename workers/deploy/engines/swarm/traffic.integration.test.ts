import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Resource } from '#core/resources/resource.ts';
import { desire, settle, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

let swarm: OwnSwarm;
beforeAll(async () => {
  swarm = await startOwnSwarm();
});
afterAll(() => swarm?.stop());

function web(text: string, probe?: object): Resource {
  const labels = { app: 'web' };
  const script = `echo ${text} > /tmp/index.html; exec httpd -f -p 8080 -h /tmp`;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'web',
              image: 'busybox:1.36',
              command: ['sh', '-c', script],
              ports: [{ name: 'http', containerPort: 8080 }],
              ...(probe === undefined ? {} : { readinessProbe: probe }),
            },
          ],
        },
      },
    },
  };
}

const SERVICE: Resource = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: {
    type: 'NodePort',
    selector: { app: 'web' },
    ports: [{ port: 80, targetPort: 'http', nodePort: 30_080 }],
  },
};

/** As whoever is on the server asks. */
async function ask(port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  return swarm.run(['bash', '-c', script]);
}

async function askUntil(port: number, says: string): Promise<string> {
  const end = Date.now() + 20_000;
  for (;;) {
    const answer = await ask(port).catch(String);
    if (answer.includes(says) || Date.now() > end) return answer;
    await sleep(200);
  }
}

it('leads from names and nodePorts to tasks that are ready', async () => {
  const engine = swarm.startEngine();
  const status = await settle(engine, desire([web('hello'), SERVICE]));
  expect(status.resources.find(({ key }) => key.startsWith('Service/'))?.summary).toMatch(
    /^10\.\d+\.\d+\.\d+, ports 80:30080, 2 endpoints$/,
  );
  expect(await askUntil(30_080, 'hello')).toContain('hello');
  const [pod] = status.resources.flatMap(({ pods = [] }) => pods);
  const place = await engine.locate(
    { namespace: 'default', workload: `Pod/default/${pod?.name}` },
    AbortSignal.timeout(5_000),
  );
  const session = await engine.exec(
    place,
    { command: ['wget', '-qO-', 'http://web/'] },
    AbortSignal.timeout(10_000),
  );
  session.end();
  const said: Uint8Array[] = [];
  for await (const { data } of session.output) said.push(data);
  expect(Buffer.concat(said).toString()).toBe('hello\n');
  await settle(engine, desire([]));
});

it('sends nothing to a task that its readiness probe refuses', async () => {
  const engine = swarm.startEngine();
  const probe = { httpGet: { port: 'http', path: '/none' }, periodSeconds: 1 };
  const status = await settle(engine, desire([web('hello', probe), SERVICE]), ({ resources }) =>
    resources.some(({ health }) => health.reason.includes('HTTP 404')),
  );
  expect(status.serving).toBe(false);
  expect(status.resources.find(({ key }) => key.startsWith('Service/'))?.summary).toContain(
    '0 endpoints',
  );
  await settle(engine, desire([]));
});

it('connects to ports, and reads what tasks say', async () => {
  const engine = swarm.startEngine();
  await settle(engine, desire([web('hello'), SERVICE]));
  for (const workload of ['Service/default/web', 'Deployment/default/web']) {
    const signal = AbortSignal.timeout(10_000);
    const port = workload.startsWith('Service') ? 80 : 8080;
    const session = await engine.connect({ namespace: 'default', workload }, port, signal);
    await session.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    const said: Uint8Array[] = [];
    for await (const { data } of session.output) said.push(data);
    expect(Buffer.concat(said).toString()).toContain('hello');
  }
  const target = { namespace: 'default', workload: 'Deployment/default/web' };
  const found = await engine.locate(target, AbortSignal.timeout(5_000));
  expect(await engine.find(found.pod, AbortSignal.timeout(5_000))).toMatchObject({
    role: 'container',
    resource: target.workload,
    pod: found.pod,
  });
  const talker = web('hello');
  (talker['spec'] as { template: { spec: { containers: object[] } } }).template.spec.containers = [
    { name: 'web', image: 'busybox:1.36', command: ['sh', '-c', 'echo said; sleep 100'] },
  ];
  await settle(engine, desire([talker]));
  const lines: unknown[] = [];
  for await (const line of engine.logs(target, { follow: false }, AbortSignal.timeout(10_000)))
    lines.push(line);
  expect(lines).toContainEqual({
    pod: expect.stringMatching(/^web-/),
    container: 'web',
    stream: 'stdout',
    line: 'said',
  });
  await settle(engine, desire([]));
});
