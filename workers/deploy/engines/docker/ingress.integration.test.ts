import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createInternalCa } from './internal-ca.ts';
import { ask, createDockerCluster, desire, settle } from './testing/docker-cluster.ts';

const cluster = createDockerCluster();
const { httpPort, httpsPort } = cluster.ingress;
afterAll(() => cluster.remove());

function app(...hosts: string[]): Resource[] {
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
    ingress('web', hosts, { hosts }),
  ];
}

function ingress(name: string, hosts: string[], tls: object): Resource {
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const http = { paths: [{ path: '/', pathType: 'Prefix', backend }] };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name },
    spec: { rules: hosts.map((host) => ({ host, http })), tls: [tls] },
  };
}

function certificateIn(pem: string): string {
  return pem.slice(0, Math.max(0, pem.indexOf('-----BEGIN PRIVATE'))) || pem;
}

function keyIn(pem: string): string {
  return pem.slice(pem.indexOf('-----BEGIN PRIVATE'));
}

function secretOf(name: string, certificate: string, key: string): Resource {
  const [crt, secret] = [certificate, key].map((text) => Buffer.from(text).toString('base64'));
  const data = { 'tls.crt': crt, 'tls.key': secret };
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'kubernetes.io/tls', data };
}

/** Over HTTPS by a client that trusts only that authority. */
async function askSecurely(
  host: string,
  ca: string,
  { agent = false, headers = {} }: { agent?: Agent | false; headers?: object } = {},
): Promise<string> {
  const asked = request({
    host: '127.0.0.1',
    port: httpsPort,
    servername: host,
    headers: { host, ...headers },
    ca,
    agent,
    signal: AbortSignal.timeout(10_000),
  }).end();
  const [response] = await once(asked, 'response');
  expect(response.socket).toBeInstanceOf(TLSSocket);
  return (await text(response)).trim();
}

describe.sequential('the edge', () => {
  const engine = cluster.startEngine({ headerKb: 32 });

  it('has certificates of its own authority where no Secret has one', async () => {
    await settle(engine, desire(app('a.test')));
    const ca = await ask(httpPort, '/.well-known/windlass/ca.pem');
    expect(await askSecurely('a.test', ca)).toBe('hello');
    await expect(askSecurely('b.test', ca)).rejects.toThrow(/unrecognized name/);
  });

  it('takes headers as large as the Cluster has room for, and many', async () => {
    const ca = await ask(httpPort, '/.well-known/windlass/ca.pem');
    const large = Array.from({ length: 3 }, (_, index) => [`x-large-${index}`, 'x'.repeat(7_900)]);
    const many = Array.from({ length: 300 }, (_, index) => [`x-many-${index}`, 'x']);
    const headers = Object.fromEntries([...large, ...many]) as object;
    expect(await askSecurely('a.test', ca, { headers })).toBe('hello');
  });

  it('drops no connection of HTTPS that is kept alive, nor a request, when it is told something else', async () => {
    const ca = await ask(httpPort, '/.well-known/windlass/ca.pem');
    const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    let isOver = false;
    let answers = 0;
    const asking = agents.map(async (agent) => {
      while (!isOver) {
        expect(await askSecurely('a.test', ca, { agent })).toBe('hello');
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

  it('tells of Secrets whose certificate is of no use, and serves the others', async () => {
    const authority = createInternalCa('another', 'test');
    const day = 86_400_000;
    const hosts = ['good.test', 'old.test', 'garbage.test', 'stranger.test', 'broken.test'];
    const [good = '', old = '', stranger = '', broken = ''] = await Promise.all(
      [0, 30, 0, 0].map((age, index) => {
        const from = Date.now() - (age + 1) * day;
        return authority.issue({ hosts: [hosts[index] ?? ''], from, until: from + 9 * day });
      }),
    );
    const ingresses = hosts.map((host) =>
      ingress(host, [host], { hosts: [host], secretName: host }),
    );
    const wrong = '-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n';
    const all = {
      'good.test': [good, good],
      'old.test': [old, old],
      'garbage.test': ['nonsense', good],
      'stranger.test': [stranger, good],
      'broken.test': [`${certificateIn(broken)}${wrong}`, broken],
    };
    const secrets = Object.entries(all).map(([name, [crt = '', key = '']]) =>
      secretOf(name, certificateIn(crt), keyIn(key)),
    );
    const desired = desire([...app().slice(0, 2), ...ingresses, ...secrets]);
    const status = await settle(engine, desired, ({ resources, plan }) => {
      const told = resources.filter(({ health }) => health.status === 'Degraded');
      return plan.length === 0 && told.length === 4;
    });
    const place = 'spec.tls[0].secretName: the certificate of Secret';
    const reasons = status.resources.flatMap(({ health: { reason } }) =>
      reason === '' ? [] : [reason.replace(`${place} `, '')],
    );
    expect(reasons.toSorted()).toEqual([
      "broken.test is of no use: HAProxy cannot load it: its chain is broken or its key too weak; the internal CA's is served",
      expect.stringMatching(/^garbage.test is of no use: it cannot be read: .*PEM/),
      expect.stringMatching(/^old.test is of no use: it expired at .* UTC$/),
      "stranger.test is of no use: tls.key is not the key of tls.crt; the internal CA's is served",
    ]);
    expect(status.failure).toContain(`Ingress/default/garbage.test: ${place} garbage.test`);
    await settle(engine, desired, ({ failure }) => failure !== undefined);
    expect(await askSecurely('good.test', await authority.certificate())).toBe('hello');
    const own = await ask(httpPort, '/.well-known/windlass/ca.pem');
    for (const host of ['garbage.test', 'stranger.test', 'broken.test'])
      expect(await askSecurely(host, own)).toBe('hello');
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
