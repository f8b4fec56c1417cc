import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { ask, createDockerCluster, desire, settle } from './testing/docker-cluster.ts';

const cluster = createDockerCluster();
const { httpPort, httpsPort } = cluster.ingress;
afterAll(() => cluster.remove());

function app(...hosts: string[]): Resource[] {
  const paths = [
    { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
  ];
  const command = ['sh', '-c', 'mkdir /www; echo hello > /www/index.html; httpd -f -p 80 -h /www'];
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [{ name: 'web', image: SYSTEM_IMAGES.sandbox, command }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web' },
      spec: { rules: hosts.map((host) => ({ host, http: { paths } })), tls: [{ hosts }] },
    },
  ];
}

/** Over HTTPS by a client that trusts only that authority. */
async function askSecurely(
  host: string,
  ca: string,
  agent: Agent | false = false,
): Promise<string> {
  const asked = request({
    host: '127.0.0.1',
    port: httpsPort,
    servername: host,
    headers: { host },
    ca,
    agent,
    signal: AbortSignal.timeout(10_000),
  }).end();
  const [response] = await once(asked, 'response');
  expect(response.socket).toBeInstanceOf(TLSSocket);
  return (await text(response)).trim();
}

describe.sequential('the edge', () => {
  const engine = cluster.startEngine();

  it('has certificates of its own authority where no Secret has one', async () => {
    await settle(engine, desire(app('a.test')));
    const ca = await ask(httpPort, '/.well-known/windlass/ca.pem');
    expect(await askSecurely('a.test', ca)).toBe('hello');
    await expect(askSecurely('b.test', ca)).rejects.toThrow(/unrecognized name/);
  });

  it('drops no connection of HTTPS that is kept alive, nor a request, when it is told something else', async () => {
    const ca = await ask(httpPort, '/.well-known/windlass/ca.pem');
    const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    let isOver = false;
    let answers = 0;
    const asking = agents.map(async (agent) => {
      while (!isOver) {
        expect(await askSecurely('a.test', ca, agent)).toBe('hello');
        answers += 1;
      }
    });
    const watched = Promise.all(asking);
    for (const more of ['b.test', 'c.test', 'd.test', 'e.test']) {
      const before = answers;
      await Promise.race([watched, settle(engine, desire(app('a.test', more)))]);
      expect(await askSecurely(more, ca)).toBe('hello');
      await expect.poll(() => answers, { timeout: 20_000 }).toBeGreaterThan(before);
    }
    isOver = true;
    await watched;
    for (const agent of agents) agent.destroy();
  });

  it('serves the one port and tells of the other where somebody has that', async () => {
    await settle(engine, desire([]), ({ plan }) => plan.length === 0);
    const rival = createServer().listen(httpPort);
    await once(rival, 'listening');
    try {
      const status = await settle(
        engine,
        desire(app('a.test')),
        ({ failure }) => failure !== undefined,
      );
      expect(status.failure).toContain(`port ${httpPort} is in use by another program`);
      await expect(askSecurely('a.test', '')).rejects.toThrow(/certificate/);
    } finally {
      rival.close();
    }
  });
});
