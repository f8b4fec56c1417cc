import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type { SessionTarget } from '#core/engine.ts';
import type { KubernetesContext } from './context.ts';
import { locatePod } from './pod-place.ts';
import { workloadLogs } from './workload-logs.ts';

const NEVER = new AbortController().signal;
const WEB = { namespace: 'shop', workload: 'Deployment/shop/web' };
let server: Server | undefined;
let client: KubeClient | undefined;

interface PodGiven {
  name: string;
  keeper?: { kind: string; name: string };
  hash?: string;
  containers?: string[];
  isRunning?: boolean;
}

function pod({ name, keeper, hash, containers = ['main'], isRunning = true }: PodGiven): unknown {
  const state = isRunning ? { running: {} } : { waiting: { reason: 'ContainerCreating' } };
  return {
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: hash === undefined ? {} : { 'pod-template-hash': hash },
      ownerReferences: keeper === undefined ? [] : [{ ...keeper, uid: 'u', controller: true }],
    },
    spec: { containers: containers.map((each) => ({ name: each })) },
    status: {
      conditions: [{ type: 'Ready', status: String(isRunning) }],
      containerStatuses: containers.map((each) => ({ name: each, state })),
    },
  };
}

const PODS = [
  pod({ name: 'web-5f-a', keeper: { kind: 'ReplicaSet', name: 'web-5f' }, hash: '5f' }),
  pod({
    name: 'web-5f-b',
    keeper: { kind: 'ReplicaSet', name: 'web-5f' },
    hash: '5f',
    isRunning: false,
  }),
  pod({ name: 'web-5f-c', keeper: { kind: 'ReplicaSet', name: 'web-5f' }, hash: '5f' }),
  pod({ name: 'web-admin-7-c', keeper: { kind: 'ReplicaSet', name: 'web-admin-7' }, hash: '7' }),
  pod({ name: 'db-0', keeper: { kind: 'StatefulSet', name: 'db' }, containers: ['db', 'backup'] }),
  pod({ name: 'nightly-29411223-x', keeper: { kind: 'Job', name: 'nightly-29411223' } }),
];

async function contextOf(pods: unknown[]): Promise<KubernetesContext> {
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    const name = /pods\/([^/]+)\/log$/.exec(pathname)?.[1];
    if (name === undefined) response.end(JSON.stringify({ metadata: {}, items: pods }));
    else {
      response.write(`${name} ${searchParams.get('container')} ${searchParams.get('tailLines')}\n`);
      if (searchParams.get('follow') === 'true') response.write('more\n');
      else response.end('last ä');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  client = createKubeClient({ server: `http://127.0.0.1:${port}`, user: {} }, {});
  const log = pino({ level: 'silent' });
  return {
    client,
    cluster: 'c',
    installation: 'i',
    seal: (text) => text,
    judges: new Map(),
    accounts: {},
    onChange: () => undefined,
    log,
  };
}

/** Once its clients have hung up. */
async function closed(api: Server | undefined): Promise<void> {
  api?.close();
  if (api !== undefined) await once(api, 'close');
  await setImmediate();
}

afterEach(() => {
  client?.close();
  server?.closeAllConnections();
  server?.close();
});

describe('workloadLogs', () => {
  it("has the lines of all of the workload's pods that have started, and of no others", async () => {
    const lines: string[] = [];
    const context = await contextOf(PODS);
    for await (const line of workloadLogs(context, WEB, { follow: false, tail: 5 }, NEVER))
      lines.push(`${line.pod}: ${line.line}`);
    expect(lines.toSorted()).toEqual([
      'web-5f-a: last ä',
      'web-5f-a: web-5f-a main 5',
      'web-5f-c: last ä',
      'web-5f-c: web-5f-c main 5',
    ]);
  });

  it('can be left while its containers go on', async () => {
    const context = await contextOf(PODS);
    const unhandled: unknown[] = [];
    function onUnhandled(error: unknown): void {
      unhandled.push(error);
    }
    process.on('unhandledRejection', onUnhandled);
    onTestFinished(() => {
      process.off('unhandledRejection', onUnhandled);
    });
    let read = 0;
    for await (const _ of workloadLogs(context, WEB, { follow: true }, NEVER)) {
      read += 1;
      if (read === 4) break;
    }
    await closed(server);
    expect(unhandled).toEqual([]);
  });

  it('says that nothing has started', async () => {
    const waits = pod({ name: 'web', isRunning: false });
    const target = { namespace: 'shop', workload: 'Pod/shop/web' };
    const lines = workloadLogs(await contextOf([waits]), target, { follow: false }, NEVER);
    await expect(lines.next()).rejects.toThrow('Pod/shop/web has not written yet');
  });

  it('says that there are no pods', async () => {
    const lines = workloadLogs(await contextOf([]), WEB, { follow: false }, NEVER);
    await expect(lines.next()).rejects.toThrow(/there are no pods of Deployment\/shop\/web/);
  });
});

describe('locatePod', () => {
  async function locate(target: SessionTarget, pods = PODS): Promise<string> {
    const context = await contextOf(pods);
    const { pod: found, container } = await locatePod(context, target, () => 'shop/prod', NEVER);
    return `${found} ${container}`;
  }

  it.each([
    ['a Deployment', WEB, 'web-5f-a main'],
    [
      'a CronJob, by its Job',
      { namespace: 'shop', workload: 'CronJob/shop/nightly' },
      'nightly-29411223-x main',
    ],
    [
      'a container by name',
      { namespace: 'shop', workload: 'StatefulSet/shop/db', container: 'backup' },
      'db-0 backup',
    ],
  ])('finds one that runs of %s', async (_, target, place) => {
    expect(await locate(target)).toBe(place);
  });

  it('finds one whose container is being started, where none runs', async () => {
    expect(await locate(WEB, PODS.slice(1, 2))).toBe('web-5f-b main');
  });

  it.each([
    [
      'which container',
      { namespace: 'shop', workload: 'StatefulSet/shop/db' },
      /db-0 has several containers/,
    ],
    [
      'a container that there is',
      { namespace: 'shop', workload: 'StatefulSet/shop/db', container: 'x' },
      /has no container x/,
    ],
    [
      'a workload that runs',
      { namespace: 'shop', workload: 'Deployment/shop/api' },
      /nothing of Deployment\/shop\/api runs/,
    ],
  ])('must be told %s', async (_, target, why) => {
    await expect(locate(target)).rejects.toThrow(why);
  });
});
