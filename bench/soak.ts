import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunView } from '#core/api/run.ts';
import { withSetUp } from './with-set-up.ts';
import { createApp, pipelineOf } from '../test/support/app.ts';
import type { App } from '../test/support/app.ts';
import { startWindlass, waitUntil } from '../test/support/windlass.ts';
import type { Windlass } from '../test/support/windlass.ts';
import { COLLECTING, collectGarbage, FLAT, growthTable, watchGrowth } from './flatness.ts';
import type { Growth } from './flatness.ts';
import { soakUnderLoad } from './load-soak.ts';
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
const isGood = await withSetUp(() => (values.load ? soakUnderLoad : soak)(minutes));
process.exitCode = isGood ? 0 : 1;

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
    const rows = await watchGrowth(
      {
        processes: async () =>
          Object.fromEntries(Object.entries(windlass.pids()).map(([name, pid]) => [name, [pid]])),
        work: (time) => roundsFor(time, false),
        // The roles are Node, which can be asked to collect; Redis and the registry are not.
        rest: () => collectGarbage(ROLES.map((role) => windlass.pids()[role] ?? Number.NaN)),
      },
      lasts / 2,
    );
    const page = describe(lasts, told, rows);
    process.stdout.write(page);
    await writeSoak('pushes', page);
    return rows.every(({ isFlat }) => isFlat);
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

function describe(
  lasts: number,
  { pushes, superseded, kills }: Told,
  rows: readonly Growth[],
): string {
  const killed = [...kills].map(([name, times]) => `${name} ${times}`).join(', ');
  return `Written by \`npm run soak\` (\`--minutes 30\` unless told otherwise). In the first half of the time pushes to
${NAMES.length} pipelines, with SIGKILL of a role or of Redis over them at random; in the second half pushes alone. Every run
succeeded, was released once and served, or was superseded by a later push. At rest Node has collected its garbage.
${FLAT}

${lasts} minutes, ${pushes} pushes (${superseded} superseded); killed: ${killed === '' ? 'none' : killed}.

${growthTable(rows)}`;
}
