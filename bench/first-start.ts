import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { runProgram } from '#adapters/debian/run-program.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { findComposes } from '../test/tools/compose.ts';
import type { Compose } from '../test/tools/compose.ts';
import { docker } from './docker-command.ts';
import { startBenchEngine } from './engine.ts';
import { figure, median } from './figure.ts';
import type { Figure } from './figure.ts';

const PODS = 20;
const ROUNDS = 3;
const AT_ONCE = 8;
const PORT = 8_080;
const INGRESS = { httpPort: 31_890, httpsPort: 31_891 };
const COMPOSE_MS = 300_000;
const TARGET = 1.5;
const never = new AbortController().signal;
/** Ends when it is told to, as one should. */
const SERVE = `mkdir -p /www && echo $PAGE > /www/page && trap exit TERM; httpd -f -p ${PORT} -h /www & wait`;

/** From nothing to so many pods that serve, and from their release to the next, beside bare containers. */
export async function firstStart(): Promise<Figure> {
  const [compose] = await findComposes();
  const times = {
    ours: { start: [] as number[], update: [] as number[] },
    serial: { start: [] as number[], update: [] as number[] },
    parallel: { start: [] as number[], update: [] as number[] },
    compose: { start: [] as number[], update: [] as number[] },
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    add(times.ours, await ours());
    add(times.serial, await bare(1));
    add(times.parallel, await bare(AT_ONCE));
    if (compose !== undefined) add(times.compose, await composed(compose));
  }
  const rows = [
    ['Windlass: a Deployment, with readiness probes and a Service', times.ours],
    ['`docker run`, one after the other', times.serial],
    [`\`docker run\`, ${AT_ONCE} at once`, times.parallel],
    ...(compose === undefined
      ? []
      : ([[`Compose ${compose.version}, \`up --scale\``, times.compose]] as const)),
  ] as const;
  return {
    ...figure(
      'first-start',
      { ours: times.ours.start, peer: times.serial.start },
      TARGET,
      `from the manifests of ${PODS} pods until all are ready, beside ${PODS} \`docker run\` one after the other until each serves. A pod is two containers, its own and the one that keeps its network: ${2 * PODS} are started beside ${PODS}. The update gives all a changed variable: Windlass with no request lost, the others by replacing containers`,
    ),
    beside: {
      head: ['how', 'first start', 'update'],
      rows: rows.map(([how, { start, update }]) => [how, median(start), median(update)]),
    },
  };
}

interface Times {
  start: number;
  update: number;
}

function add(to: { start: number[]; update: number[] }, { start, update }: Times): void {
  to.start.push(start);
  to.update.push(update);
}

async function ours(): Promise<Times> {
  const engine = startBenchEngine(INGRESS);
  try {
    // The cluster's own containers are there: they are started once, not with each application.
    await engine.settle(application('first', 0));
    const start = await timed(() => engine.settle(application('first', PODS)));
    const update = await timed(() => engine.settle(application('second', PODS)));
    return { start, update };
  } finally {
    await engine.remove();
  }
}

function application(page: string, replicas: number): Resource[] {
  const labels = { app: 'web' };
  const container = {
    name: 'web',
    image: SYSTEM_IMAGES.sandbox,
    command: ['sh', '-c', SERVE],
    env: [{ name: 'PAGE', value: page }],
    readinessProbe: { httpGet: { path: '/page', port: PORT }, periodSeconds: 1 },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: labels, ports: [{ port: 80, targetPort: PORT }] },
    },
  ];
}

async function bare(concurrency: number): Promise<Times> {
  const names = Array.from({ length: PODS }, (_, index) => `windlass-bench-${index}`);
  try {
    const start = await timed(() => pMap(names, (name) => runOne(name, 'first'), { concurrency }));
    const update = await timed(() =>
      pMap(
        names,
        async (name) => {
          await docker('stop', name);
          await docker('rm', name);
          await runOne(name, 'second');
        },
        { concurrency },
      ),
    );
    return { start, update };
  } finally {
    await docker('rm', '--force', ...names);
  }
}

async function runOne(name: string, page: string): Promise<void> {
  const image = SYSTEM_IMAGES.sandbox;
  await docker('run', '-d', '--name', name, '-e', `PAGE=${page}`, image, 'sh', '-c', SERVE);
  await untilServed(name, page);
}

async function composed({ command, args, environment }: Compose): Promise<Times> {
  const folder = await mkdtemp(join(tmpdir(), 'windlassbench'));
  async function run(...more: string[]): Promise<string> {
    return runProgram({
      command,
      args: [...args, ...more],
      cwd: folder,
      environment,
      timeoutMs: COMPOSE_MS,
      signal: never,
    });
  }
  async function up(page: string): Promise<void> {
    const web = {
      image: SYSTEM_IMAGES.sandbox,
      // Compose has a $ of its own.
      command: ['sh', '-c', SERVE.replaceAll('$', '$$$$')],
      environment: { PAGE: page },
    };
    const file = { version: '2.4', services: { web } };
    await writeFile(join(folder, 'docker-compose.yml'), JSON.stringify(file));
    await run('up', '-d', '--scale', `web=${PODS}`);
    const ids = (await run('ps', '-q')).trim().split('\n');
    if (ids.length !== PODS) throw new Error(`Compose runs ${ids.length}`);
    await Promise.all(ids.map((id) => untilServed(id, page)));
  }
  try {
    return { start: await timed(() => up('first')), update: await timed(() => up('second')) };
  } finally {
    await run('down', '-t', '0');
    await rm(folder, { recursive: true, force: true });
  }
}

async function untilServed(container: string, page: string): Promise<void> {
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  const address = await docker('inspect', '--format', format, container);
  const signal = AbortSignal.timeout(30_000);
  for (;;) {
    const found = await ask(`http://${address}:${PORT}/page`);
    if (found === page) return;
    await sleep(10, undefined, { signal });
  }
}

async function ask(url: string): Promise<string> {
  try {
    const response = await fetch(url, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(1_000),
    });
    return (await response.text()).trim();
  } catch {
    return '';
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
