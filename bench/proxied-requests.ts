import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '#adapters/debian/run-program.ts';
import { findTool } from '#adapters/debian/tool.ts';
import type { Tool, ToolSpec } from '#adapters/debian/tool.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { docker } from './docker-command.ts';
import { startBenchEngine } from './engine.ts';
import type { Figure } from './figure.ts';
import { gracefulServer } from './graceful-server.ts';

const WRK: ToolSpec = {
  program: 'wrk',
  packages: ['wrk'],
  file: 'usr/bin/wrk',
  install: 'install wrk so that it is on the PATH',
};
const IMAGE = 'windlass-bench/graceful:1';
const BARE = 'windlass-bench-proxy';
const INGRESS = { httpPort: 31_894, httpsPort: 31_895 };
const HTTP_PORT = 31_896;
const TCP_PORT = 31_897;
const PUBLISHED_PORT = 31_898;
const BARE_HTTP_PORT = 31_899;
const BARE_TCP_PORT = 31_900;
const BY_HAND_PORT = 31_901;
/** As the cluster's own containers have: what proxies are given of the processors is not what is compared. */
const CPU_SHARES = 8_192;
const PODS = 2;
const CONNECTIONS = 64;
const SECONDS = 1;
const ROUNDS = 9;
const LEAST = 0.9;
const TOOL_MS = 300_000;

interface Measured {
  perSecond: number;
  /** Milliseconds, of 99 of 100 requests. */
  p99: number;
}

interface Way {
  name: string;
  url: string;
  /** The way that is the same without Windlass. */
  beside?: string;
  /** Only to compare with: what the bare proxy costs that does as much as an Ingress has to. */
  isPeer?: true;
}

/** Requests on kept connections through what Windlass makes of HAProxy, beside an HAProxy with nothing but its servers. */
export async function proxiedRequests(): Promise<Figure> {
  const search = { tools: join(tmpdir(), 'windlass-tools'), path: process.env['PATH'] ?? '' };
  const wrk = await findTool(WRK, search, AbortSignal.timeout(TOOL_MS));
  await buildServer();
  const engine = startBenchEngine(INGRESS);
  const folder = await mkdtemp(join(tmpdir(), 'windlass-bench-'));
  try {
    const { resources } = await engine.settle(application());
    const pods = resources.flatMap((resource) => resource.pods ?? []).map(({ ip }) => ip ?? '');
    const ips = Object.fromEntries(
      ['web', 'web-http'].map((name) => {
        const found = resources.find(({ key }) => key === `Service/default/${name}`);
        return [name, /^\d+(\.\d+){3}/.exec(found?.summary ?? '')?.[0] ?? ''];
      }),
    );
    const inNetwork = await startBare(folder, pods, engine.installation);
    // Not 127.0.0.1: Docker leads that to published ports through a process.
    const gateway = '{{.NetworkSettings.Gateway}}';
    const host = await docker('inspect', '--format', gateway, `${BARE}-published`);
    const ways: Way[] = [
      { name: 'bare HAProxy, HTTP', url: `http://${host}:${BARE_HTTP_PORT}/` },
      {
        name: 'HAProxy by hand, with the headers and retries of an Ingress',
        url: `http://${host}:${BY_HAND_PORT}/`,
        beside: 'bare HAProxy, HTTP',
        isPeer: true,
      },
      {
        name: 'Ingress',
        url: `http://${host}:${INGRESS.httpPort}/`,
        beside: 'bare HAProxy, HTTP',
      },
      {
        name: 'NodePort, `appProtocol: http`',
        url: `http://${host}:${HTTP_PORT}/`,
        beside: 'bare HAProxy, HTTP',
      },
      { name: 'bare HAProxy, TCP', url: `http://${host}:${BARE_TCP_PORT}/` },
      { name: 'NodePort', url: `http://${host}:${TCP_PORT}/`, beside: 'bare HAProxy, TCP' },
      {
        name: "bare HAProxy in the cluster's network, TCP",
        url: `http://${inNetwork}:${BARE_TCP_PORT}/`,
      },
      {
        name: 'ClusterIP',
        url: `http://${ips['web']}/`,
        beside: "bare HAProxy in the cluster's network, TCP",
      },
      {
        name: "bare HAProxy in the cluster's network, HTTP",
        url: `http://${inNetwork}:${BARE_HTTP_PORT}/`,
      },
      {
        name: 'ClusterIP, `appProtocol: http`',
        url: `http://${ips['web-http']}/`,
        beside: "bare HAProxy in the cluster's network, HTTP",
      },
      { name: 'published port, one container', url: `http://${host}:${PUBLISHED_PORT}/` },
    ];
    const found = await measureAll(wrk, ways);
    return describe(ways, found);
  } finally {
    await docker('rm', '--force', `${BARE}-host`, `${BARE}-network`, `${BARE}-published`);
    await engine.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Found {
  /** By way. */
  measured: Map<string, Measured[]>;
  /** Of the way and the bare proxy beside it, one right after the other: what else the machine does meets both. */
  ratios: Map<string, number[]>;
}

/** In rounds, each of which begins with the other one of each two. */
async function measureAll(wrk: Tool, ways: readonly Way[]): Promise<Found> {
  const measured = new Map<string, Measured[]>();
  const ratios = new Map<string, number[]>();
  async function rateOf({ name, url }: Way): Promise<number> {
    const found = await measure(wrk, url);
    measured.set(name, [...(measured.get(name) ?? []), found]);
    return found.perSecond;
  }
  const besides = new Set(ways.map(({ beside }) => beside));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const way of ways) {
      const peer = ways.find(({ name }) => name === way.beside);
      if (peer === undefined) {
        if (!besides.has(way.name)) await rateOf(way);
        continue;
      }
      const isFirst = round % 2 === 0;
      const before = isFirst ? await rateOf(way) : await rateOf(peer);
      const after = isFirst ? await rateOf(peer) : await rateOf(way);
      const ratio = isFirst ? before / after : after / before;
      ratios.set(way.name, [...(ratios.get(way.name) ?? []), ratio]);
    }
  return { measured, ratios };
}

async function measure({ command, args }: Tool, url: string): Promise<Measured> {
  const printed = await runProgram({
    command,
    args: [...args, '-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '--latency', url],
    timeoutMs: (SECONDS + 20) * 1_000,
    signal: AbortSignal.timeout(TOOL_MS),
  });
  if (/Non-2xx|Socket errors/.test(printed)) throw new Error(`${url}: ${printed}`);
  const [, amount = '', unit = ''] = /^\s+99%\s+([\d.]+)(us|ms|s)$/m.exec(printed) ?? [];
  const perSecond = Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(printed)?.[1]);
  const p99 = Number(amount) * ({ us: 0.001, ms: 1, s: 1_000 }[unit] ?? Number.NaN);
  if (!(perSecond > 0 && p99 > 0)) throw new Error(`wrk said: ${printed}`);
  return { perSecond, p99 };
}

function describe(ways: readonly Way[], { measured: found, ratios: pairs }: Found): Figure {
  const ratios = ways.flatMap(({ name, beside }) => {
    if (beside === undefined) return [];
    const [ours = 0, peer = 0] = [name, beside].map((way) => middle(rates(found.get(way))));
    return [{ name, ours, peer, ratio: middle(pairs.get(name) ?? []) }];
  });
  const own = ratios.filter((each) =>
    ways.some(({ name, isPeer }) => name === each.name && !isPeer),
  );
  const [worst] = own.toSorted((one, other) => one.ratio - other.ratio);
  if (worst === undefined) throw new Error('nothing was compared');
  return {
    name: 'proxied-requests',
    ours: Math.round(worst.ours),
    peer: Math.round(worst.peer),
    ratio: worst.ratio,
    target: LEAST,
    met: worst.ratio >= LEAST,
    how: `requests per second (wrk, ${CONNECTIONS} kept connections) to ${PODS} pods through Ingress and Service, beside the same HAProxy in the same network, with the same CPU shares and nothing but its servers in its configuration: the median ratio of ${ROUNDS} rounds of ${SECONDS} s each, one right after the other, of the way with the worst, which was ${worst.name}. The target is at least ${LEAST}; client, proxies and pods share the machine`,
    beside: {
      head: ['way', 'requests per second', 'p99 (ms)', 'of the bare proxy'],
      rows: ways.map(({ name }) => [
        name,
        Math.round(middle(rates(found.get(name)))),
        middle((found.get(name) ?? []).map(({ p99 }) => p99)).toFixed(1),
        ratios.find((ratio) => ratio.name === name)?.ratio.toFixed(2) ?? '',
      ]),
    },
  };
}

function rates(found: readonly Measured[] = []): number[] {
  return found.map(({ perSecond }) => perSecond);
}

async function buildServer(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-bench-'));
  const { files, image } = gracefulServer();
  const all = { Dockerfile: `FROM ${SYSTEM_IMAGES.proxy}\n${image}`, ...files };
  for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text);
  await docker('build', '--quiet', '--tag', IMAGE, folder);
  await rm(folder, { recursive: true });
}

/** On the host's network as the edge is, and on the cluster's as its proxy is; answers the address there. */
async function startBare(
  folder: string,
  pods: readonly string[],
  installation: string,
): Promise<string> {
  const servers = pods.map((ip, index) => `  server pod${index} ${ip}:8080\n`).join('');
  // Without a bound HAProxy reserves memory for all files that the host allows.
  const config = `global
  fd-hard-limit 50000
defaults
  timeout connect 3s
  timeout client 1h
  timeout server 1h
listen http
  mode http
  bind *:${BARE_HTTP_PORT}
${servers}listen tcp
  mode tcp
  bind *:${BARE_TCP_PORT}
${servers}listen by-hand
  mode http
  bind *:${BY_HAND_PORT}
  retry-on conn-failure empty-response
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port ${BY_HAND_PORT}
${servers}`;
  await writeFile(join(folder, 'haproxy.cfg'), config);
  for (const [name, network] of [
    ['host', 'host'],
    ['network', `bench-${installation}`],
  ] as const)
    await docker(
      ...`run -d --name ${BARE}-${name} --network ${network} --cpu-shares ${CPU_SHARES}`.split(' '),
      ...`-v ${folder}:/bare:ro ${SYSTEM_IMAGES.proxy} haproxy -W -db -f /bare/haproxy.cfg`.split(
        ' ',
      ),
    );
  const published = ['-p', `${PUBLISHED_PORT}:8080`, '-e', 'PAGE=hello', IMAGE];
  await docker('run', '-d', '--name', `${BARE}-published`, ...published);
  await sleep(1_000);
  return docker(
    'inspect',
    '--format',
    '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
    `${BARE}-network`,
  );
}

function application(): Resource[] {
  const labels = { app: 'web' };
  const container = {
    name: 'web',
    image: IMAGE,
    imagePullPolicy: 'Never',
    env: [{ name: 'PAGE', value: 'hello' }],
    readinessProbe: { httpGet: { path: '/', port: 8_080 }, periodSeconds: 1 },
  };
  const port = { port: 80, targetPort: 8_080 };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas: PODS,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
    service('web', { ...port, nodePort: TCP_PORT }),
    service('web-http', { ...port, nodePort: HTTP_PORT, appProtocol: 'http' }),
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web' },
      spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
    },
  ];
}

function service(name: string, port: object): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'NodePort', selector: { app: 'web' }, ports: [port] },
  };
}

function middle(numbers: readonly number[]): number {
  return (
    numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN
  );
}
