import { readdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunView } from '#core/api/run.ts';
import { createApp, pipelineOf } from '../test/support/app.ts';
import type { App } from '../test/support/app.ts';
import { startWindlass, waitUntil } from '../test/support/windlass.ts';
import type { Windlass } from '../test/support/windlass.ts';
import { memoryOf } from './memory.ts';
import { writeSoak } from './readme.ts';

/** Pushes and kills at random for the first half of the time; pushes alone for the second, over which memory is watched. */
const ROLES = ['server', 'build', 'deploy'] as const;
const NAMES = ['one', 'two', 'three'] as const;
const FIRST_PORT = 31_870;
const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
${NAMES.map(pipelineOf).join('')}
`;
/** Of the second half, after which caches are as warm as they get. */
const WARM_UP = 0.25;
const MOST_GROWTH_MB = 20;
const MOST_HANDLES = 10;
const SAMPLE_MS = 2_000;

interface Sample {
  at: number;
  megabytes: number;
  handles: number;
}

interface Told {
  pushes: number;
  superseded: number;
  kills: Map<string, number>;
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  process.stderr.write('--minutes wants a number above 0\n');
  process.exit(2);
}
process.exitCode = (await soak(minutes)) ? 0 : 1;

async function soak(lasts: number): Promise<boolean> {
  const windlass = await startWindlass(CONFIG, {
    // Its leases are its own again when it comes back.
    environment: () => Promise.resolve({ deploy: { WINDLASS_WORKER_NAME: 'deployer' } }),
  });
  const apps: App[] = [];
  try {
    for (const [index, name] of NAMES.entries())
      apps.push(await createApp(windlass, name, FIRST_PORT + index));
    const told: Told = { pushes: 0, superseded: 0, kills: new Map() };
    const half = Date.now() + (lasts * 60_000) / 2;
    while (Date.now() < half) await round(windlass, apps, told, true);
    const samples = await watch(windlass, async () => {
      const end = Date.now() + (lasts * 60_000) / 2;
      while (Date.now() < end) await round(windlass, apps, told, false);
    });
    const rows = [...samples].map(([name, of]) => growth(name, of));
    const isFlat = rows.every((row) => row.isFlat);
    const page = describe(lasts, told, rows);
    process.stdout.write(page);
    await writeSoak(page);
    return isFlat;
  } finally {
    await windlass.stop();
    for (const { repository } of apps) await repository.remove();
  }
}

/** Some pushes, perhaps with a kill over them; then each app serves what was pushed last, released once. */
async function round(
  windlass: Windlass,
  apps: readonly App[],
  told: Told,
  kills: boolean,
): Promise<void> {
  const pushed = apps.filter(() => Math.random() < 0.6);
  const runs: RunView[] = [];
  const page = `page ${told.pushes}`;
  const killing = kills && Math.random() < 0.5 ? killOne(windlass, told) : Promise.resolve();
  for (const app of pushed) {
    // A second push soon after the first supersedes it, or comes after it.
    const often = Math.random() < 0.3 ? 2 : 1;
    for (let nth = 1; nth <= often; nth += 1) {
      const commit = await app.change(`${page} ${nth}`);
      await pushUntilTaken(app);
      runs.push(await runOf(windlass, app, commit));
      told.pushes += 1;
    }
  }
  await killing;
  for (const { id, pipeline } of runs) {
    const run = await windlass.runUntil(id, ({ endedAt }) => endedAt !== undefined);
    if (run.state === 'superseded') told.superseded += 1;
    else if (run.state !== 'succeeded') throw new Error(`run ${id} of ${pipeline}: ${run.reason}`);
    const releases = await appOf(apps, pipeline).releasesOf(run);
    if (releases > 1 || (run.state === 'succeeded' && releases !== 1))
      throw new Error(`run ${id} was released ${releases} times`);
  }
  for (const app of pushed)
    await waitUntil(async () => (await app.page()).startsWith(page), `${app.name}: ${page}`);
}

function appOf(apps: readonly App[], name: string): App {
  const app = apps.find((each) => each.name === name);
  if (app === undefined) throw new Error(`there is no app ${name}`);
  return app;
}

/** A server that is killed over a push leaves the developer to push again. */
async function pushUntilTaken(app: App): Promise<void> {
  await waitUntil(async () => {
    const { code, output } = await app.push('-o', 'nowait');
    if (code !== 0) throw new Error(output);
    return true;
  }, `a push of ${app.name}`);
}

async function runOf(windlass: Windlass, app: App, commit: string): Promise<RunView> {
  let run: RunView | undefined;
  await waitUntil(
    async () => {
      run = await windlass.lastRun(app.name);
      return run.commit === commit;
    },
    `a run of ${app.name} for ${commit}`,
    120_000,
  );
  if (run === undefined) throw new Error(`${app.name} has no run`);
  return run;
}

async function killOne(windlass: Windlass, told: Told): Promise<void> {
  const victims = [...ROLES, 'redis'] as const;
  const victim = victims[Math.floor(Math.random() * victims.length)] ?? 'server';
  await sleep(Math.random() * 3_000);
  told.kills.set(victim, (told.kills.get(victim) ?? 0) + 1);
  if (victim === 'redis') {
    await windlass.withoutRedis(() => sleep(Math.random() * 2_000), 'SIGKILL');
    return;
  }
  await windlass.kill(victim);
  await windlass.start(victim);
}

/** What each process holds while `work` goes on. */
async function watch(
  windlass: Windlass,
  work: () => Promise<void>,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>();
  const done = new AbortController();
  async function look(): Promise<void> {
    while (!done.signal.aborted) {
      for (const [name, pid] of Object.entries(windlass.pids())) {
        const megabytes = await memoryOf([pid]);
        const handles = (await readdir(`/proc/${pid}/fd`)).length;
        samples.set(name, [...(samples.get(name) ?? []), { at: Date.now(), megabytes, handles }]);
      }
      await sleep(SAMPLE_MS, undefined, { signal: done.signal }).catch(() => undefined);
    }
  }
  const looking = look();
  try {
    await work();
  } finally {
    done.abort();
    await looking;
  }
  return samples;
}

interface Row {
  name: string;
  before: Pick<Sample, 'megabytes' | 'handles'>;
  after: Pick<Sample, 'megabytes' | 'handles'>;
  isFlat: boolean;
}

/** Medians of the quarter after the warm-up, and of the last. */
function growth(name: string, samples: readonly Sample[]): Row {
  const quarter = Math.max(1, Math.floor(samples.length * WARM_UP));
  const before = medians(samples.slice(quarter, 2 * quarter));
  const after = medians(samples.slice(-quarter));
  const isFlat =
    after.megabytes - before.megabytes <= MOST_GROWTH_MB &&
    after.handles - before.handles <= MOST_HANDLES;
  return { name, before, after, isFlat };
}

function medians(samples: readonly Sample[]): Row['before'] {
  return {
    megabytes: Math.round(median(samples.map(({ megabytes }) => megabytes))),
    handles: median(samples.map(({ handles }) => handles)),
  };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function describe(
  lasts: number,
  { pushes, superseded, kills }: Told,
  rows: readonly Row[],
): string {
  const killed = [...kills].map(([name, times]) => `${name} ${times}`).join(', ');
  const lines = rows.map(
    ({ name, before, after, isFlat }) =>
      `| ${name} | ${before.megabytes} | ${after.megabytes} | ${before.handles} | ${after.handles} | ${isFlat ? 'yes' : 'no'} |\n`,
  );
  return `Written by \`npm run soak\` (\`--minutes 30\` unless told otherwise). In the first half of the time pushes to
${NAMES.length} pipelines, with SIGKILL of a role or of Redis over them at random; in the second half pushes alone, with memory (PSS, MB) and
file handles watched: medians of its second quarter and of its last. Every run succeeded, was released once and served, or was
superseded by a later push. Flat is up to ${MOST_GROWTH_MB} MB and ${MOST_HANDLES} handles more.

${lasts} minutes, ${pushes} pushes (${superseded} superseded); killed: ${killed === '' ? 'none' : killed}.

| process | MB before | MB after | handles before | handles after | flat |
|---|---|---|---|---|---|
${lines.join('')}`;
}
