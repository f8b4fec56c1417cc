import { setTimeout as sleep } from 'node:timers/promises';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import type { ClusterView } from '#core/api/cluster.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { createRepository } from '../test/support/repository.ts';
import type { Repository } from '../test/support/repository.ts';
import { startWindlass, waitUntil } from '../test/support/windlass.ts';
import type { Windlass } from '../test/support/windlass.ts';
import { startLoad } from '../test/tools/load.ts';
import type { Load, RunningLoad } from '../test/tools/load.ts';
import { COLLECTING, collectGarbage, FLAT, growthTable, watchGrowth } from './flatness.ts';
import type { Growth } from './flatness.ts';
import { gracefulServer } from './graceful-server.ts';
import { writeSoak } from './readme.ts';

const CLIENTS = 64;
const INGRESS_PORT = 31_880;
const TCP_PORT = 31_882;
const HTTP_PORT = 31_883;
const FEWEST = 2;
const MOST = 6;
/** Kubernetes' back-off for what was killed again and again is up to five minutes. */
const READY_MS = 360_000;
const PAUSE_MS = 3_000;
const REST_MS = 60_000;
/** Workers of a proxy at rest: the master, and the one that serves. */
const PROXY_AT_REST = 2;
const PROXIES = ['proxy', 'edge'] as const;
const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }], ingress: { httpPort: ${INGRESS_PORT}, httpsPort: ${INGRESS_PORT + 1} } }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { images: [{ name: web }], deploy: [{ cluster: here, manifests: deploy }] }
`;
const docker = connectDocker('unix:///var/run/docker.sock');
const ACTIONS = ['kill', 'kill', 'scale', 'release', 'configure'] as const;
type Action = (typeof ACTIONS)[number];

interface Shop {
  windlass: Windlass;
  repository: Repository;
  /** What is in git. */
  release: number;
  configuration: number;
  /** As scaled by hand, or as in git after a release. */
  replicas: number;
}

interface Told {
  actions: Map<string, number>;
  /** By way in. */
  answered: Map<string, number>;
  resent: Map<string, number>;
  failures: { way: string; during: string; message: string }[];
  /** By proxy: the most workers that still ended at once. */
  ending: Map<string, number>;
}

/** Connections are kept busy while pods are killed, scaled, released and configured, one of it at a time. */
export async function soakUnderLoad(minutes: number): Promise<boolean> {
  const windlass = await startWindlass(CONFIG, {
    environment: () => Promise.resolve({ deploy: COLLECTING }),
  });
  const repository = await createRepository();
  const shop: Shop = { windlass, repository, release: 1, configuration: 1, replicas: 3 };
  const told: Told = {
    actions: new Map(),
    answered: new Map(),
    resent: new Map(),
    failures: [],
    ending: new Map(),
  };
  let loads: Record<string, RunningLoad> = {};
  try {
    const url = windlass.url.replace('//', `//dev:${windlass.token}@`);
    await repository.git('remote', 'add', 'windlass', `${url}/git/shop.git`);
    await push(shop);
    const address = await clusterIp(windlass);
    const rows = await watchGrowth(
      {
        processes: () => watched(windlass, told),
        async work(time) {
          const end = Date.now() + time * 60_000;
          if (Object.keys(loads).length === 0) loads = startLoads(address);
          while (Date.now() < end) {
            const during = await act(shop);
            told.actions.set(during, (told.actions.get(during) ?? 0) + 1);
            await untilReady(shop);
            await sleep(PAUSE_MS);
            take(loads, during, told);
          }
        },
        async rest() {
          for (const [way, load] of Object.entries(loads))
            tell(await load.stop(), { way, during: 'rest' }, told);
          loads = {};
          await untilNoneEnds(windlass);
          await collectGarbage(deployPids(windlass));
        },
      },
      minutes,
    );
    const page = describe(minutes, told, rows);
    process.stdout.write(page);
    await writeSoak('load', page);
    return rows.every(({ isFlat }) => isFlat);
  } finally {
    await Promise.all(Object.values(loads).map((load) => load.stop()));
    await windlass.stop();
    await repository.remove();
  }
}

function startLoads(address: string): Record<string, RunningLoad> {
  const ways = {
    Ingress: `http://127.0.0.1:${INGRESS_PORT}/`,
    'NodePort, HTTP': `http://127.0.0.1:${HTTP_PORT}/`,
    'ClusterIP, HTTP': `http://${address}/`,
    'NodePort, TCP': `http://127.0.0.1:${TCP_PORT}/`,
  };
  const clients = CLIENTS / Object.keys(ways).length;
  return Object.fromEntries(
    Object.entries(ways).map(([way, url]) => [way, startLoad({ url, clients })]),
  );
}

function take(loads: Record<string, RunningLoad>, during: string, told: Told): void {
  for (const [way, load] of Object.entries(loads)) tell(load.take(), { way, during }, told);
}

function tell(
  { answered, failures, resent }: Load,
  { way, during }: { way: string; during: string },
  told: Told,
): void {
  told.answered.set(way, (told.answered.get(way) ?? 0) + answered);
  told.resent.set(way, (told.resent.get(way) ?? 0) + resent);
  for (const message of failures) {
    told.failures.push({ way, during, message });
    process.stdout.write(`${way} during ${during}: ${message}\n`);
  }
}

async function act(shop: Shop): Promise<Action> {
  const action = ACTIONS[Math.floor(Math.random() * ACTIONS.length)] ?? 'kill';
  process.stdout.write(`${new Date().toISOString()} ${action}\n`);
  if (action === 'kill') {
    await killOne(shop.windlass);
  } else if (action === 'scale') {
    shop.replicas = FEWEST + Math.floor(Math.random() * (MOST - FEWEST + 1));
    await shop.windlass.post('/api/v1/clusters/here/scale', {
      workload: 'Deployment/web',
      replicas: shop.replicas,
    });
  } else {
    if (action === 'release') shop.release += 1;
    else shop.configuration += 1;
    shop.replicas = 3;
    await push(shop);
  }
  return action;
}

/** Waits until it is told of too: until then all seem ready. */
async function killOne(windlass: Windlass): Promise<void> {
  const pods = podsIn(await ownerOf(windlass));
  const victim = pods[Math.floor(Math.random() * pods.length)];
  if (victim === undefined) throw new Error('there is no pod to kill');
  const [id = ''] = await containersOf(windlass.installation, 'container', victim.name);
  await callDocker(docker, {
    method: 'POST',
    path: `/containers/${id}/kill`,
    signal: AbortSignal.timeout(30_000),
  });
  await waitUntil(
    async () =>
      podsIn(await ownerOf(windlass)).some(
        (pod) => pod.name === victim.name && restartsOf(pod) > restartsOf(victim),
      ),
    `${victim.name} to be started again`,
    READY_MS,
  );
}

type Owner = ClusterView['owners'][number];
type Pod = NonNullable<Owner['resources'][number]['pods']>[number];

function podsIn(owner: Owner | undefined): Pod[] {
  return owner?.resources.find(({ key }) => key === 'Deployment/default/web')?.pods ?? [];
}

function restartsOf({ containers }: Pod): number {
  return containers.reduce((sum, { restarts }) => sum + restarts, 0);
}

async function push({ windlass, repository, release, configuration }: Shop): Promise<void> {
  const { files, image } = gracefulServer();
  const commit = await repository.commit({
    Dockerfile: `FROM ${SYSTEM_IMAGES.proxy}\n${image}`,
    ...files,
    'deploy/web.yaml': manifests(release, configuration),
  });
  const { output } = await repository.git('push', 'windlass', 'main');
  const run = await windlass.lastRun('shop');
  if (run.commit !== commit || run.state !== 'succeeded') throw new Error(output);
}

async function untilReady({ windlass, replicas }: Shop): Promise<void> {
  await waitUntil(
    async () => {
      const owner = await ownerOf(windlass);
      const pods = podsIn(owner);
      const ready = pods.filter((pod) => pod.ready).length;
      return ready === replicas && pods.length === replicas && owner?.serving === true;
    },
    `${replicas} ready pods`,
    READY_MS,
  );
}

async function ownerOf(windlass: Windlass): Promise<Owner | undefined> {
  const view = await windlass.get<ClusterView>('/api/v1/clusters/here/workloads');
  return view.owners[0];
}

async function clusterIp(windlass: Windlass): Promise<string> {
  const owner = await ownerOf(windlass);
  const service = owner?.resources.find(({ key }) => key === 'Service/default/web');
  const [address] = /^\d+(\.\d+){3}/.exec(service?.summary ?? '') ?? [];
  if (address === undefined) throw new Error('the Service has no address');
  return address;
}

async function containersOf(installation: string, role: string, pod?: string): Promise<string[]> {
  const label = [
    `windlass.dev/installation=${installation}`,
    `windlass.dev/role=${role}`,
    ...(pod === undefined ? [] : [`windlass.dev/pod=${pod}`]),
  ];
  const listed = await callDocker<{ Id: string }[]>(docker, {
    method: 'GET',
    path: '/containers/json',
    query: { filters: JSON.stringify({ label }) },
    signal: AbortSignal.timeout(30_000),
  });
  return listed.map(({ Id }) => Id);
}

/** The deploy worker, and the proxies with their workers that still end, which are counted too. */
async function watched(windlass: Windlass, told: Told): Promise<Record<string, number[]>> {
  const proxies = await proxyPids(windlass);
  for (const [role, pids] of Object.entries(proxies))
    told.ending.set(role, Math.max(told.ending.get(role) ?? 0, pids.length - PROXY_AT_REST));
  return { deploy: deployPids(windlass), ...proxies };
}

function deployPids(windlass: Windlass): number[] {
  return [windlass.pids()['deploy'] ?? Number.NaN];
}

/** Without connections a proxy's old workers have nothing to wait for. */
async function untilNoneEnds(windlass: Windlass): Promise<void> {
  await waitUntil(
    async () =>
      Object.values(await proxyPids(windlass)).every((pids) => pids.length === PROXY_AT_REST),
    'old workers of the proxies to end',
    REST_MS,
  );
}

async function proxyPids({ installation }: Windlass): Promise<Record<string, number[]>> {
  const proxies = PROXIES.map(async (role) => {
    const [id = ''] = await containersOf(installation, role);
    const { Processes } = await callDocker<{ Processes: string[][] }>(docker, {
      method: 'GET',
      path: `/containers/${id}/top`,
      query: { ps_args: '-o pid' },
      signal: AbortSignal.timeout(30_000),
    });
    return [role, Processes.map(([pid]) => Number(pid))] as const;
  });
  return Object.fromEntries(await Promise.all(proxies));
}

function manifests(release: number, configuration: number): string {
  return `apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data: { word: "${configuration}" }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: web
          env: [{ name: PAGE, value: "release ${release}" }]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
          volumeMounts: [{ name: words, mountPath: /words }]
      volumes: [{ name: words, configMap: { name: web } }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: ${HTTP_PORT}, appProtocol: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: web-tcp }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: ${TCP_PORT} }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: { nginx.ingress.kubernetes.io/proxy-read-timeout: "${60 + (configuration % 60)}" }
spec: { rules: [{ http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }] }
`;
}

function describe(minutes: number, told: Told, rows: readonly Growth[]): string {
  const done = [...told.actions].map(([name, times]) => `${name} ${times}`).join(', ');
  const ending = [...told.ending].map(([role, most]) => `${role} ${most}`).join(', ');
  const ways = [...told.answered].map(([way, answered]) => {
    const of = told.failures.filter((failure) => failure.way === way);
    const causes = [...new Set([...ACTIONS, 'rest'])]
      .map((action) => [action, of.filter(({ during }) => during === action).length] as const)
      .filter(([, count]) => count > 0)
      .map(([action, count]) => `${action} ${count}`);
    return `| ${way} | ${answered} | ${told.resent.get(way) ?? 0} | ${of.length} | ${causes.join(', ')} |\n`;
  });
  return `Written by \`npm run soak -- --load\` (\`--minutes 30\` unless told otherwise). ${CLIENTS} connections, kept ones and new ones,
ask without end over four ways to the same pods, while one thing after the other is done at random, each until all is ready again:
\`kill\` is SIGKILL of a pod's process, \`scale\` is to ${FEWEST} to ${MOST} pods by hand, \`release\` and \`configure\` are pushes, which make new
pods or change a mounted ConfigMap and an annotation of the Ingress. A proxy's worker ends when its connections have, once
another configuration is loaded; at rest nobody asks, all of them have ended, and Node has collected its garbage.
${FLAT}

${minutes} minutes; ${done}. Most workers that still ended at once: ${ending}.

| way in | answered | sent again by the client | failed | while |
|---|---|---|---|---|
${ways.join('')}
${growthTable(rows)}`;
}
