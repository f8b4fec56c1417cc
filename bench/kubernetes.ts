import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { figure, median } from './figure.ts';
import type { Figure } from './figure.ts';
import { connectBenchCluster, putAway } from './kubernetes-cluster.ts';
import type { BenchCluster } from './kubernetes-cluster.ts';
import { desiredOf, kubernetesObjects } from './kubernetes-objects.ts';
import { memoryOf, residentMemoryOf } from './memory.ts';

const OBJECTS = 1_000;
const ROUNDS = 3;
const UNCHANGED = 5;
/** As many as the engine has under way. */
const AT_ONCE = 32;
/** As between two places of one country. */
const AWAY_MS = 20;
const LIVE_OBJECTS = 10_000;
const MOST_MB = 150;
/** One file with all of them, as kubectl reads it. */
const FILE = 'objects.json';

interface Times {
  first: number[];
  healthy: number[];
  unchanged: number[];
  restart: number[];
  change: number[];
}
interface Measured {
  ours: Times;
  peer: Times;
  requests: { ours: Record<keyof Times, number>; apply: number; diff: number };
  /** The same objects, a bare request each: what the API server takes for them, whoever asks. */
  bare: number[];
  /** The first apply from a distance. */
  away: { ours: number; peer: number };
}

let measured: Promise<Measured> | undefined;

/** From nothing until everything is applied, beside `kubectl apply --server-side` of the same. */
export function kubernetesFirst(): Promise<Figure> {
  return told(
    'kubernetes-first',
    'first',
    1 / 5,
    `${OBJECTS} objects of ten kinds from nothing until all are applied, after all of them were put to the API server's dry run, beside \`kubectl apply --server-side\` of the same, which does not do that`,
  );
}

export function kubernetesUnchanged(): Promise<Figure> {
  return told(
    'kubernetes-unchanged',
    'unchanged',
    1 / 20,
    'a pass over the same with nothing to do, beside `kubectl diff --server-side`; below, the first pass after a restart beside the same',
  );
}

export function kubernetesOneChange(): Promise<Figure> {
  return told(
    'kubernetes-one-change',
    'change',
    1 / 5,
    'a value of one of them changed until it is applied, beside `kubectl apply --server-side` of all of them',
  );
}

/** A worker's engine that follows 10,000 objects, beside a Node without a program. */
export async function kubernetesMemory(): Promise<Figure> {
  const cluster = await connectBenchCluster(kubeconfig());
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  try {
    const namespace = await cluster.namespace('memory');
    const making = cluster.startEngine();
    await making.settle(desiredOf(kubernetesObjects(namespace, LIVE_OBJECTS, 0)));
    await making.engine.close();
    const follower = spawn(
      process.execPath,
      [
        // As a worker is started.
        '--max-semi-space-size=4',
        fileURLToPath(new URL('kubernetes-follower.ts', import.meta.url)),
        kubeconfig(),
        cluster.installation,
        namespace,
        String(LIVE_OBJECTS),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(createInterface(follower.stdout), 'line');
    const ours = Math.round(await memoryOf([follower.pid ?? 0]));
    const resident = Math.round(await residentMemoryOf([follower.pid ?? 0]));
    const peer = Math.round(await memoryOf([bare.pid ?? 0]));
    follower.kill();
    return {
      name: 'kubernetes-memory',
      ours,
      peer,
      ratio: ours / peer,
      target: MOST_MB / peer,
      met: ours <= MOST_MB,
      how: `megabytes (PSS) of a process with the kubernetes engine that follows ${LIVE_OBJECTS} live objects, with their manifests, beside a Node without a program; the target is ${MOST_MB} MB; ${resident} MB where what it shares with others is counted to it whole (RSS)`,
    };
  } finally {
    bare.kill();
    await cluster.remove();
  }
}

async function told(name: string, part: keyof Times, target: number, how: string): Promise<Figure> {
  measured ??= measure();
  const { ours, peer, requests, bare, away } = await measured;
  const all = figure(name, { ours: ours[part], peer: peer[part] }, target, how);
  if (part !== 'unchanged') return all;
  const rows = [
    ['first apply', 'first', 'apply'],
    ['first apply, until its controllers have made all of it healthy', 'healthy', 'apply'],
    ['nothing to do, from watches', 'unchanged', 'diff'],
    ['nothing to do, after a restart', 'restart', 'diff'],
    ['one object changed', 'change', 'apply'],
  ] as const;
  return {
    ...all,
    beside: {
      head: ['what', 'ours (ms)', 'our requests', 'kubectl', 'its (ms)', 'its requests'],
      rows: [
        ...rows.map(([what, of, command]) => [
          what,
          median(ours[of]),
          requests.ours[of],
          command,
          median(peer[of]),
          requests[command],
        ]),
        [
          `a bare request each, ${AT_ONCE} at once and no dry run: what the API server takes`,
          median(bare),
          OBJECTS,
          'apply',
          median(peer.first),
          requests.apply,
        ],
        [
          `first apply, ${AWAY_MS} ms of a round trip away from the API server`,
          away.ours,
          requests.ours.first,
          'apply',
          away.peer,
          requests.apply,
        ],
      ],
    },
  };
}

async function measure(): Promise<Measured> {
  const cluster = await connectBenchCluster(kubeconfig());
  const folder = await mkdtemp(join(tmpdir(), 'windlass-bench-'));
  const all: Measured = {
    ours: none(),
    peer: none(),
    requests: {
      ours: { first: 0, healthy: 0, unchanged: 0, restart: 0, change: 0 },
      apply: 0,
      diff: 0,
    },
    bare: [],
    away: { ours: 0, peer: 0 },
  };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await measureOurs(cluster, round, all);
      await measureBare(cluster, round, all);
      await measurePeer(cluster, round, join(folder, FILE), all);
    }
    all.away = await measureAway(folder);
  } finally {
    await rm(folder, { recursive: true });
    await cluster.remove();
  }
  return all;
}

function none(): Times {
  return { first: [], healthy: [], unchanged: [], restart: [], change: [] };
}

async function measureOurs(
  cluster: BenchCluster,
  round: number,
  { ours, requests }: Measured,
): Promise<void> {
  const namespace = await cluster.namespace(`ours-${round}`);
  const started = cluster.startEngine();
  // As a worker has them from one pass to the next.
  const objects = desiredOf(kubernetesObjects(namespace, OBJECTS, 0));
  const changed = desiredOf(kubernetesObjects(namespace, OBJECTS, 1));
  async function measurePart(part: keyof Times, work: () => Promise<unknown>): Promise<void> {
    started.requests();
    ours[part].push(await timed(work));
    requests.ours[part] = started.requests();
  }
  const begun = performance.now();
  await measurePart('first', () => started.apply(objects));
  await started.settle(objects);
  ours.healthy.push(performance.now() - begun);
  requests.ours.healthy = requests.ours.first + started.requests();
  for (let pass = 0; pass < UNCHANGED; pass += 1)
    await measurePart('unchanged', () => started.settle(objects));
  await measurePart('change', () => started.settle(changed));
  await started.engine.close();
  const restarted = cluster.startEngine();
  ours.restart.push(await timed(() => restarted.settle(changed)));
  requests.ours.restart = restarted.requests();
  await cluster.removeNamespace(namespace);
  await restarted.clear();
  await restarted.engine.close();
}

async function measureBare(
  cluster: BenchCluster,
  round: number,
  { bare }: Measured,
): Promise<void> {
  const namespace = await cluster.namespace(`bare-${round}`);
  const objects = kubernetesObjects(namespace, OBJECTS, 0);
  bare.push(await timed(() => cluster.applyBare(objects, AT_ONCE)));
  await cluster.removeNamespace(namespace);
}

async function measurePeer(
  cluster: BenchCluster,
  round: number,
  file: string,
  { peer, requests }: Measured,
): Promise<void> {
  const namespace = await cluster.namespace(`peer-${round}`);
  async function write(change: number): Promise<void> {
    const items = kubernetesObjects(namespace, OBJECTS, change);
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  }
  function apply(...args: string[]): Promise<string> {
    return cluster.kubectl('apply', '--server-side', '--filename', file, ...args);
  }
  function diff(...args: string[]): Promise<string> {
    return cluster.kubectl('diff', '--server-side', '--filename', file, ...args);
  }
  await write(0);
  const first = await timed(apply);
  peer.first.push(first);
  peer.healthy.push(first);
  const unchanged = await timed(diff);
  peer.unchanged.push(unchanged);
  peer.restart.push(unchanged);
  await write(1);
  peer.change.push(await timed(apply));
  if (round === 0) {
    requests.apply = requestsIn(await apply('--v=6'));
    requests.diff = requestsIn(await diff('--v=6'));
  }
  await cluster.removeNamespace(namespace);
}

async function measureAway(folder: string): Promise<Measured['away']> {
  const { file, stop } = await putAway(kubeconfig(), folder, AWAY_MS);
  const cluster = await connectBenchCluster(file);
  try {
    const namespace = await cluster.namespace('ours-away');
    const started = cluster.startEngine();
    const objects = desiredOf(kubernetesObjects(namespace, OBJECTS, 0));
    const ours = Math.round(await timed(() => started.apply(objects)));
    await started.engine.close();
    const items = kubernetesObjects(await cluster.namespace('peer-away'), OBJECTS, 0);
    const manifests = join(folder, FILE);
    await writeFile(manifests, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const peer = await timed(() =>
      cluster.kubectl('apply', '--server-side', '--filename', manifests),
    );
    return { ours, peer: Math.round(peer) };
  } finally {
    await cluster.remove();
    await stop();
  }
}

/** What kubectl tells of each with --v=6. */
function requestsIn(log: string): number {
  return [...log.matchAll(/verb="[A-Z]+"|"?(GET|PATCH|POST|PUT|DELETE) https?:\/\//g)].length;
}

function kubeconfig(): string {
  return process.env['KUBECONFIG'] ?? '';
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
