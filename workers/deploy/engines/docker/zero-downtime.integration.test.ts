import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram } from '#adapters/debian/run-program.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Engine, OwnerStatus } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startLoad } from '../../../../test/tools/load.ts';
import type { Load, RunningLoad } from '../../../../test/tools/load.ts';
import {
  createDockerCluster,
  desire,
  firstOf,
  harm,
  never,
  settle,
} from './testing/docker-cluster.ts';
import { freeNodePort } from '../../../../test/tools/process.ts';

const IMAGE = 'windlass-test/graceful:1';
const NODE_PORT = await freeNodePort();
const HTTP_NODE_PORT = await freeNodePort();
/** On each way in. */
const CLIENTS = 64;
/** On those that carry the same as the Ingress. */
const HTTP_CLIENTS = 16;
const RELEASES = 6;
const LAST = `r${RELEASES}`;

/** An HTTP server that ends as one should: it answers what it has begun, and says on kept connections that it closes. */
const CONFIGURATION = `global
  hard-stop-after 20s
defaults
  mode http
  option idle-close-on-response
  timeout client 30s
  timeout server 30s
  timeout connect 3s
frontend web
  bind *:8080
  http-request return status 200 content-type text/plain lf-string "%[env(RELEASE)]" if { env(READY) -m str yes } || { path / }
  http-request return status 503 content-type text/plain string "not yet"
`;

interface Shape {
  release: string;
  replicas: number;
  /** Never becomes ready. */
  broken?: boolean;
}

function shop({ release, replicas, broken = false }: Shape): Resource[] {
  const container = {
    name: 'web',
    image: IMAGE,
    imagePullPolicy: 'Never',
    args: ['-f', '/config/haproxy.cfg'],
    env: [
      { name: 'RELEASE', value: release },
      { name: 'READY', value: broken ? 'no' : 'yes' },
    ],
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1 },
    volumeMounts: [{ name: 'config', mountPath: '/config' }],
  };
  const selector = { app: 'web' };
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'web' },
      data: { 'haproxy.cfg': CONFIGURATION },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas,
        selector: { matchLabels: selector },
        progressDeadlineSeconds: broken ? 5 : 120,
        template: {
          metadata: { labels: selector },
          spec: {
            terminationGracePeriodSeconds: 30,
            containers: [container],
            volumes: [{ name: 'config', configMap: { name: 'web' } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        type: 'NodePort',
        selector,
        ports: [{ port: 80, targetPort: 8080, nodePort: NODE_PORT }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web-http' },
      spec: {
        type: 'NodePort',
        selector,
        ports: [{ port: 80, targetPort: 8080, nodePort: HTTP_NODE_PORT, appProtocol: 'http' }],
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web' },
      spec: {
        rules: [
          {
            http: {
              paths: [
                {
                  path: '/',
                  pathType: 'Prefix',
                  backend: { service: { name: 'web', port: { number: 80 } } },
                },
              ],
            },
          },
        ],
      },
    },
  ];
}

const cluster = createDockerCluster();
let engine: Engine;
let loads: Record<string, RunningLoad> = {};

beforeAll(async () => {
  await runProgram({
    command: 'sh',
    args: [
      '-c',
      `printf 'FROM ${SYSTEM_IMAGES.proxy}\\nSTOPSIGNAL SIGUSR1\\nENTRYPOINT ["haproxy"]\\n' | docker build -q -t ${IMAGE} -`,
    ],
    timeoutMs: 60_000,
    signal: never,
  });
  engine = cluster.startEngine();
  const status = await deploy({ release: 'r0', replicas: 3 });
  loads = {
    NodePort: startLoad({ url: `http://127.0.0.1:${NODE_PORT}/`, clients: CLIENTS }),
    ClusterIP: startLoad({ url: `http://${addressOf(status, 'web')}/`, clients: CLIENTS }),
    'HTTP NodePort': startLoad({
      url: `http://127.0.0.1:${HTTP_NODE_PORT}/`,
      clients: HTTP_CLIENTS,
    }),
    'HTTP ClusterIP': startLoad({
      url: `http://${addressOf(status, 'web-http')}/`,
      clients: HTTP_CLIENTS,
    }),
    Ingress: startLoad({
      url: `http://127.0.0.1:${cluster.ingress.httpPort}/`,
      clients: CLIENTS,
    }),
  };
}, 120_000);

afterAll(async () => {
  await Promise.all(Object.values(loads).map((load) => load.stop()));
  await cluster.remove();
}, 120_000);

function deploy(shape: Shape, until = isDone): Promise<OwnerStatus> {
  return settle(engine, desire(shop(shape)), until, 120_000);
}

function isDone({ serving, plan }: OwnerStatus): boolean {
  return serving && plan.length === 0;
}

function addressOf({ resources }: OwnerStatus, service: string): string {
  const found = resources.find(({ key }) => key === `Service/default/${service}`);
  return firstOf(/^\d+(\.\d+){3}/.exec(found?.summary ?? '') ?? []);
}

/** What clients found on each way in since this was last asked: something, at any rate. */
function found(): Record<string, Load> {
  const taken = Object.entries(loads).map(([way, load]) => [way, load.take()] as const);
  for (const [, { answered }] of taken) expect(answered).toBeGreaterThan(0);
  return Object.fromEntries(taken);
}

function expectNoneFailed(): void {
  for (const [way, { failures }] of Object.entries(found()))
    expect([way, failures]).toEqual([way, []]);
}

it('fails no request over six releases', async () => {
  for (let number = 1; number <= RELEASES; number += 1)
    await deploy({ release: `r${number}`, replicas: 3 });
  for (const [way, { failures, bodies }] of Object.entries(found())) {
    expect([way, failures]).toEqual([way, []]);
    expect(bodies.has(LAST)).toBe(true);
  }
}, 600_000);

it('fails none while it is scaled up and down', async () => {
  await deploy({ release: LAST, replicas: 6 });
  await deploy({ release: LAST, replicas: 2 });
  await sleep(3_000);
  expectNoneFailed();
}, 120_000);

it('sends none to a release that does not become ready', async () => {
  const status = await deploy(
    { release: 'broken', replicas: 2, broken: true },
    ({ failure }) => failure !== undefined,
  );
  expect(status.serving).toBe(false);
  for (const [way, { failures, bodies }] of Object.entries(found()))
    expect([way, failures, [...bodies.keys()]]).toEqual([way, [], [LAST]]);
  await deploy({ release: LAST, replicas: 3 });
  expectNoneFailed();
}, 120_000);

it('fails none while the proxies load their configuration again', async () => {
  const before = await Promise.all(['proxy', 'edge'].map((role) => cluster.parts(role)));
  for (const { Id } of before.flat())
    for (let reload = 0; reload < 3; reload += 1) {
      await harm(Id, { signal: 'SIGUSR2' });
      await sleep(500);
    }
  expectNoneFailed();
}, 60_000);

it('of a pod that is killed loses what it was at, where requests are HTTP not even that', async () => {
  const [web] = await cluster.named('web');
  await harm(web?.Id ?? '', 'kill');
  await sleep(1_000);
  const { NodePort: nodePort, ClusterIP: clusterIp, ...http } = found();
  for (const tcp of [nodePort, clusterIp]) expect(tcp?.failures.length).toBeLessThan(CLIENTS / 2);
  for (const [way, { failures }] of Object.entries(http))
    expect([way, failures]).toEqual([way, []]);
  await settle(engine, desire(shop({ release: LAST, replicas: 3 })), isDone);
  await sleep(1_000);
  expectNoneFailed();
}, 60_000);
