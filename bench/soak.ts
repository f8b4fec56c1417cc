import { readdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunView } from '#core/api/run.ts';
import { createApp, pipelineOf } from '../test/support/app.ts';
import type { App } from '../test/support/app.ts';
import { startWindlass, waitUntil } from '../test/support/windlass.ts';
import type { Windlass } from '../test/support/windlass.ts';
import { medians } from './flatness.ts';
import type { Sample } from './flatness.ts';
import { soakUnderLoad } from './load-soak.ts';
import { privateMemoryOf } from './memory.ts';
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
/** How long a role is left alone, and then has to collect its garbage. */
const SETTLE_MS = 5_000;
const COLLECTIONS = 3;
/** The roles are Node, which can be asked to collect; Redis and the registry are not. */
const COLLECTING = {
  NODE_OPTIONS: `--max-semi-space-size=4 --expose-gc --import=${new URL('collect-garbage.ts', import.meta.url).href}`,
};

/** Of one process: at work, and at rest with its garbage collected. */
interface Held {
  atWork: Sample;
  atRest: number;
}

interface Told {
  pushes: number;
  superseded: number;
  kills: Map<string, number>;
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    load: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  process.stderr.write('--minutes wants a number above 0\n');
  process.exit(2);
}
process.exitCode = (await (values.load ? soakUnderLoad : soak)(minutes)) ? 0 : 1;

async function soak(lasts: number): Promise<boolean> {
  const windlass = await startWindlass(CONFIG, {
    // Its leases are its own again when it comes back.
    environment: () =>
      Promise.resolve({
        server: COLLECTING,
        build: COLLECTING,
        deploy: { ...COLLECTING, WINDLASS_WORKER_NAME: 'deployer' },
      }),
  });
  const apps: App[] = [];
  try {
    for (const [index, name] of NAMES.entries())
      apps.push(await createApp(windlass, name, FIRST_PORT + index));
    const told: Told = { pushes: 0, superseded: 0, kills: new Map() };
    async function roundsFor(time: number, kills: boolean): Promise<void> {
      const end = Date.now() + time * 60_000;
      while (Date.now() < end) await round(windlass, apps, told, kills);
    }
    await roundsFor(lasts / 2, true);
    await roundsFor((lasts / 2) * WARM_UP, false);
    const before = await held(windlass, () => roundsFor((lasts / 2) * WARM_UP, false));
    await roundsFor((lasts / 2) * (1 - 3 * WARM_UP), false);
    const after = await held(windlass, () => roundsFor((lasts / 2) * WARM_UP, false));
    const rows = [...before].map(([name, first]) => growth(name, first, after.get(name)));
    const isFlat = rows.every((row) => row.isFlat);
    const page = describe(lasts, told, rows);
    process.stdout.write(page);
    await writeSoak('pushes', page);
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
  // Told below; until then nobody waits for it, and everything is still to be cleared away.
  killing.catch(() => undefined);
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

/** What each process holds while `work` goes on, and once it has ended. */
async function held(windlass: Windlass, work: () => Promise<void>): Promise<Map<string, Held>> {
  const samples = new Map<string, Sample[]>();
  const done = new AbortController();
  async function look(): Promise<void> {
    while (!done.signal.aborted) {
      for (const [name, pid] of Object.entries(windlass.pids())) {
        const megabytes = await privateMemoryOf(pid);
        const handles = (await readdir(`/proc/${pid}/fd`)).length;
        samples.set(name, [...(samples.get(name) ?? []), { megabytes, handles }]);
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
  const atRest = await atRestOf(windlass);
  return new Map(
    [...samples].map(([name, of]) => [
      name,
      { atWork: medians(of), atRest: Math.round(atRest.get(name) ?? Number.NaN) },
    ]),
  );
}

/** Megabytes of each process when nothing is going on and its garbage is collected. */
async function atRestOf(windlass: Windlass): Promise<Map<string, number>> {
  const pids = windlass.pids();
  for (let nth = 0; nth < COLLECTIONS; nth += 1) {
    await sleep(SETTLE_MS);
    for (const role of ROLES) process.kill(pids[role] ?? Number.NaN, 'SIGUSR2');
  }
  await sleep(SETTLE_MS);
  const sizes = Object.entries(pids).map(
    async ([name, pid]) => [name, await privateMemoryOf(pid)] as const,
  );
  return new Map(await Promise.all(sizes));
}

interface Row {
  name: string;
  before: Held;
  after: Held;
  isFlat: boolean;
}

function growth(name: string, before: Held, after: Held | undefined): Row {
  if (after === undefined) throw new Error(`${name} ran no more`);
  const isFlat =
    after.atRest - before.atRest <= MOST_GROWTH_MB &&
    after.atWork.handles - before.atWork.handles <= MOST_HANDLES;
  return { name, before, after, isFlat };
}

function describe(
  lasts: number,
  { pushes, superseded, kills }: Told,
  rows: readonly Row[],
): string {
  const killed = [...kills].map(([name, times]) => `${name} ${times}`).join(', ');
  const lines = rows.map(
    ({ name, before, after, isFlat }) =>
      `| ${[
        name,
        before.atRest,
        after.atRest,
        before.atWork.megabytes,
        after.atWork.megabytes,
        before.atWork.handles,
        after.atWork.handles,
        isFlat ? 'yes' : 'no',
      ].join(' | ')} |\n`,
  );
  return `Written by \`npm run soak\` (\`--minutes 30\` unless told otherwise). In the first half of the time pushes to
${NAMES.length} pipelines, with SIGKILL of a role or of Redis over them at random; in the second half pushes alone, with
private memory (MB) and file handles watched over its second quarter (before) and its last (after): medians at work, and
memory at rest after each, when Node has collected its garbage, so that what is left is referred to. Every run
succeeded, was released once and served, or was superseded by a later push. Flat is up to ${MOST_GROWTH_MB} MB more at rest and
${MOST_HANDLES} handles more.

${lasts} minutes, ${pushes} pushes (${superseded} superseded); killed: ${killed === '' ? 'none' : killed}.

| process | at rest before | after | at work before | after | handles before | after | flat |
|---|---|---|---|---|---|---|---|
${lines.join('')}`;
}
