import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { DesiredState, Engine } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBenchEngine } from './engine.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

const DEPLOYMENTS = 100;
const REPLICAS = 3;
const PER_OWNER = 5;
const WARM_UP = 5;
const ROUNDS = 21;
/** For all of it; most goes into the start of the pods. */
const START_PATIENCE_MS = 900_000;
const run = promisify(execFile);

/** A pass of the controller over many pods with nothing to do, beside one `docker ps` that lists their containers. */
export async function reconcileUnchanged(): Promise<Figure> {
  const bench = startBenchEngine();
  const { installation, engine } = bench;
  const patience = AbortSignal.timeout(START_PATIENCE_MS);
  const times = { ours: [] as number[], peer: [] as number[] };
  try {
    const desired = owners();
    await untilAllServe(engine, desired, patience);
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const ours = await timed(async () => {
        const { done, owners: seen } = await engine.reconcile(desired, patience);
        if (done.length > 0 || !seen.every(({ serving }) => serving))
          throw new Error('something was to be done');
      });
      const peer = await timed(() => listContainers(installation));
      if (round < WARM_UP) continue;
      times.ours.push(ours);
      times.peer.push(peer);
    }
  } finally {
    await bench.remove();
  }
  return figure(
    'reconcile-unchanged',
    times,
    3,
    `a pass of the docker engine over ${DEPLOYMENTS} Deployments with ${DEPLOYMENTS * REPLICAS} pods and a Service each, of ${DEPLOYMENTS / PER_OWNER} pipelines, with nothing to do, beside one \`docker ps\` that lists their containers`,
  );
}

function owners(): DesiredState[] {
  return Array.from({ length: DEPLOYMENTS / PER_OWNER }, (_, owner) => ({
    owner: `owner-${owner}/bench`,
    release: 'r1',
    resources: Array.from({ length: PER_OWNER }, (_each, index) =>
      application(`app-${owner}-${index}`),
    ).flat(),
  }));
}

function application(name: string): Resource[] {
  const container = { name: 'main', image: SYSTEM_IMAGES.sandbox, command: ['sleep', '86400'] };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas: REPLICAS,
        progressDeadlineSeconds: START_PATIENCE_MS / 1_000,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { terminationGracePeriodSeconds: 0, containers: [container] },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ port: 80 }] },
    },
  ];
}

async function untilAllServe(
  engine: Engine,
  desired: readonly DesiredState[],
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { owners: seen } = await engine.reconcile(desired, signal);
    if (seen.every(({ serving }) => serving)) return;
    await sleep(500, undefined, { signal });
  }
}

async function listContainers(installation: string): Promise<void> {
  const filter = `label=windlass.dev/installation=${installation}`;
  const args = ['ps', '--all', '--no-trunc', '--filter', filter, '--format', '{{json .}}'];
  const { stdout } = await run('docker', args, { maxBuffer: 2 ** 26 });
  if (stdout.split('\n').length <= DEPLOYMENTS * REPLICAS * 2)
    throw new Error('not every container was listed');
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
