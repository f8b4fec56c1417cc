import { createServer } from 'node:http';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { clientOf } from '#adapters/kubernetes/testing/client-of.ts';
import type { KubernetesContext } from './context.ts';
import { findPod } from './find-pod.ts';
import { locatePort } from './pod-place.ts';

const NEVER = new AbortController().signal;
const ID = '3f2a9c11d0e4'.padEnd(64, '0');
const INVENTORIES = [
  {
    owner: 'shop/prod',
    entries: { 'apps/Deployment/shop/web': {}, 'batch/CronJob/shop/nightly': {} },
  },
];

function pod(name: string, keeper: object, isReady = true): object {
  return {
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-of-${name}`,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: 'web', 'pod-template-hash': '5f' },
      ownerReferences: [{ ...keeper, uid: 'u', controller: true }],
    },
    spec: {
      containers: [
        { name: 'main', image: 'web@sha256:1', ports: [{ name: 'http', containerPort: 8080 }] },
      ],
    },
    status: {
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      containerStatuses: [
        {
          name: 'main',
          state: { running: {} },
          containerID: `containerd://${name === 'web-5f-a' ? ID : ID.replace('3f', '4f')}`,
        },
      ],
    },
  };
}

const PODS = [
  pod('web-5f-b', { kind: 'ReplicaSet', name: 'web-5f' }, false),
  pod('web-5f-a', { kind: 'ReplicaSet', name: 'web-5f' }),
  pod('nightly-29411223-x', { kind: 'Job', name: 'nightly-29411223' }),
  pod('other-0', { kind: 'StatefulSet', name: 'other' }),
];
const SERVICE = {
  metadata: { name: 'web', namespace: 'shop', uid: 's', resourceVersion: '1' },
  spec: {
    selector: { app: 'web' },
    ports: [
      { port: 80, targetPort: 'http' },
      { port: 81, targetPort: 9_000 },
      { port: 82 },
      { port: 83, targetPort: 'no' },
      { port: 53, protocol: 'UDP' },
    ],
  },
};

async function context(service: object = SERVICE): Promise<KubernetesContext> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://api');
    const [, name] = /^\/api\/v1\/namespaces\/shop\/pods\/(.+)$/.exec(pathname) ?? [];
    const found = PODS.find(
      ({ metadata }: { metadata?: { name: string } }) => metadata?.name === name,
    );
    if (pathname.endsWith('/services/web')) response.end(JSON.stringify(service));
    else if (pathname.endsWith('/pods'))
      response.end(JSON.stringify({ metadata: {}, items: PODS }));
    else if (found === undefined) response.writeHead(404).end('{}');
    else response.end(JSON.stringify(found));
  });
  const client = await clientOf(server);
  return {
    client,
    cluster: 'c',
    installation: 'i',
    seal: (text) => text,
    judges: new Map(),
    accounts: {},
    onChange: () => undefined,
    log: pino({ level: 'silent' }),
  };
}

describe('findPod', () => {
  it.each([['web-5f-a'], [ID], ['3f2a9c11d0e4']])(
    'finds the container of %s',
    async (reference) => {
      expect(await findPod(await context(), INVENTORIES, reference, NEVER)).toEqual({
        id: ID,
        name: 'main',
        image: 'web@sha256:1',
        state: 'running',
        createdAt: Date.parse('2026-01-01T00:00:00Z'),
        role: 'container',
        owner: 'shop/prod',
        resource: 'Deployment/shop/web',
        pod: 'web-5f-a',
        made: { images: { main: 'web@sha256:1' }, at: Date.parse('2026-01-01T00:00:00Z') },
      });
    },
  );

  it('knows the CronJob of a Job that it has started', async () => {
    const found = await findPod(await context(), INVENTORIES, 'nightly-29411223-x', NEVER);
    expect(found?.resource).toBe('CronJob/shop/nightly');
  });

  it.each([['other-0'], ['nobody'], ['abcdef']])(
    'finds nothing of ours in %s',
    async (reference) => {
      expect(await findPod(await context(), INVENTORIES, reference, NEVER)).toBeUndefined();
    },
  );
});

describe('locatePort', () => {
  async function locate(port: number, workload = 'Service/shop/web', service = SERVICE) {
    const target = { namespace: 'shop', workload };
    function ownerOf(key: string): string | undefined {
      return key.endsWith('/web') ? 'shop/prod' : undefined;
    }
    const place = await locatePort(await context(service), target, port, ownerOf, NEVER);
    return `${place.pod}:${place.port}`;
  }

  it.each([
    [80, 8_080],
    [81, 9_000],
    [82, 82],
  ])('leads port %i of a Service to port %i of a pod that is ready', async (port, there) => {
    expect(await locate(port)).toBe(`web-5f-a:${there}`);
  });

  it('leads to a port of a workload as it is', async () => {
    expect(await locate(8_080, 'Deployment/shop/web')).toBe('web-5f-a:8080');
  });

  it.each([
    [84, 'Service/shop/web', 'has no TCP port 84'],
    [53, 'Service/shop/web', 'has no TCP port 53'],
    [83, 'Service/shop/web', 'pod web-5f-a has no port no, to which Service web leads'],
    [80, 'Service/shop/theirs', 'there is no Service/shop/theirs'],
    [80, 'Deployment/shop/theirs', 'nothing of Deployment/shop/theirs runs'],
  ])('of port %i of %s says what is not there', async (port, workload, told) => {
    await expect(locate(port, workload)).rejects.toThrow(told);
  });

  it('needs a Service that selects pods', async () => {
    const service = { ...SERVICE, spec: { ...SERVICE.spec, selector: {} } };
    await expect(locate(80, 'Service/shop/web', service as never)).rejects.toThrow(
      'Service web selects no pods',
    );
  });
});
