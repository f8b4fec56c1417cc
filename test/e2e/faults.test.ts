import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunList, RunView } from '#core/api/run.ts';
import { createApp, manifests, pipelineOf } from '../support/app.ts';
import type { App } from '../support/app.ts';
import { containersOf, execIn, followCreated, pidOf } from '../support/containers.ts';
import { startGatedWindlass } from '../support/gated-windlass.ts';
import type { GatedWindlass, Gates } from '../support/gated-windlass.ts';
import { freeNodePort } from '../tools/process.ts';
import { mountSmallDisk } from '../tools/small-disk.ts';
import type { SmallDisk } from '../tools/small-disk.ts';
import { waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';

const RELEASE = /POST \/internal\/v1\/runs\/\S+\/release /;
const ROLES = ['server', 'build', 'deploy'] as const;
const NAMES = ['alpha', 'beta', 'gamma', 'delta', 'epsilon'] as const;
const PORTS = await Promise.all(NAMES.map(() => freeNodePort()));

/** Where something is written, the outer ones first. */
const PLACES = {
  state: 'state',
  git: 'state/git',
  build: 'state/build',
  runs: 'state/runs',
  redis: 'redis',
  registry: 'registry',
};
type Place = keyof typeof PLACES;
const DISK_MEGABYTES = 64;

function config(docker: string): string {
  return `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "${docker}" }] }
${NAMES.map(pipelineOf).join('')}
`;
}

describe.sequential('what happens to servers', () => {
  let gated: GatedWindlass;
  let windlass: Windlass;
  let gates: Gates;
  const apps = {} as Record<(typeof NAMES)[number], App>;
  const disks = {} as Record<Place, SmallDisk>;
  let created: Awaited<ReturnType<typeof followCreated>>;

  beforeAll(async () => {
    gated = await startGatedWindlass(config, async (folder) => {
      for (const [place, path] of Object.entries(PLACES))
        disks[place as Place] = await mountSmallDisk(join(folder, path), DISK_MEGABYTES);
      return async () => {
        for (const disk of Object.values(disks).toReversed()) await disk.unmount();
      };
    });
    ({ windlass, gates } = gated);
    created = await followCreated(windlass.installation);
    for (const name of NAMES) apps[name] = await createApp(windlass, name, portOf(name));
  });
  afterAll(async () => {
    created.stop();
    await gated.stop();
    for (const app of Object.values(apps)) await app.repository.remove();
  });

  function ended(run: RunView): Promise<RunView> {
    return windlass.runUntil(run.id, ({ endedAt }) => endedAt !== undefined);
  }

  /** It has succeeded, was released once, and what it built serves. */
  async function expectServes(app: App, run: RunView, page: string): Promise<void> {
    expect(await ended(run)).toMatchObject({ state: 'succeeded', reason: '' });
    expect(await app.releasesOf(run)).toBe(1);
    expect(await app.page()).toBe(page);
  }

  /** Of the pods that serve that page once they are ready; those before them go as soon as they are. */
  async function letBeReady({ name }: App, page: string): Promise<void> {
    const all = await containersOf(windlass.installation, name);
    const pages = await Promise.all(all.map(({ Id }) => execIn(Id, 'cat', '/www/page')));
    const waiting = all.filter((_container, index) => pages[index] === page);
    expect(waiting).not.toEqual([]);
    for (const { Id } of waiting) await execIn(Id, 'touch', '/www/ready');
  }

  async function logTells({ id }: RunView, what: RegExp): Promise<void> {
    await waitUntil(async () => what.test(await windlass.logOf(id)), `${what} in the log of ${id}`);
  }

  async function endedRuns(): Promise<RunView[]> {
    const { runs } = await windlass.get<RunList>('/api/v1/runs?limit=100');
    return runs.filter(({ endedAt }) => endedAt !== undefined);
  }

  /** Whether what is told of ended runs is in their files: Redis alone holds what ended a moment ago. */
  async function areFiled(runs: readonly RunView[]): Promise<boolean> {
    const below = join(windlass.folder, 'state', 'runs');
    const names = await readdir(below, { recursive: true });
    return runs.every(({ id, pipeline }) => names.includes(join(pipeline, `${id}.json`)));
  }

  function expectNothingTwice(): void {
    expect(created.names).not.toEqual([]);
    expect(created.names).toEqual([...new Set(created.names)]);
  }

  it('a build worker killed while it clones, builds, pushes and hands over', async () => {
    const { alpha, beta, gamma, delta, epsilon } = apps;
    const holds = [
      gates.buildServer.hold(/POST \/git\/alpha\.git\/git-upload-pack/),
      gates.buildDocker.hold(/POST \S*\/build\S*beta/),
      gates.registry.hold(/PUT \/v2\/gamma\/web\/manifests\//),
      gates.buildServer.hold(/POST \/internal\S*\/rendered[\s\S]*delta/),
      gates.buildServer.hold(/POST \/internal\S*\/rendered[\s\S]*epsilon/, 'answer'),
    ];
    const runs: [App, RunView][] = [];
    for (const app of [alpha, beta, gamma, delta, epsilon])
      runs.push([app, await app.pushAway(`${app.name} one`)]);
    await Promise.all(holds.map(({ reached }) => reached));
    await windlass.kill('build');
    for (const { drop } of holds) drop();
    await windlass.start('build');
    for (const [app, run] of runs) await expectServes(app, run, `${app.name} one`);
    expectNothingTwice();
  });

  it('a deploy worker killed while it releases, reads for the plan, creates and waits for health', async () => {
    const { alpha, beta, gamma, delta, epsilon } = apps;
    const waits = await gamma.pushAway('gamma two', {
      'deploy/web.yaml': manifests('gamma', portOf('gamma'), { probe: '/ready' }),
    });
    await windlass.runUntil(waits.id, ({ deploys }) =>
      /readiness probe/.test(deploys[0]?.reason ?? ''),
    );
    const starting = await containersOf(windlass.installation, 'gamma');
    const create = gates.deployDocker.hold(/POST \S*containers\/create\S*delta/);
    const creates = await delta.pushAway('delta two');
    await create.reached;
    const read = gates.deployServer.hold(/GET \/internal\S*\/manifests\/epsilon\//);
    const plans = await epsilon.pushAway('epsilon two');
    await read.reached;
    const answer = gates.deployServer.hold(RELEASE, 'answer');
    const released = await beta.pushAway('beta two');
    await answer.reached;
    const request = gates.deployServer.hold(RELEASE);
    const releases = await alpha.pushAway('alpha two');
    await request.reached;

    await windlass.kill('deploy');
    for (const { drop } of [create, read, answer, request]) drop();
    await windlass.start('deploy');
    expect(await gamma.page()).toBe('gamma one');
    await letBeReady(gamma, 'gamma two');
    await expectServes(gamma, waits, 'gamma two');
    await expectServes(delta, creates, 'delta two');
    await expectServes(epsilon, plans, 'epsilon two');
    await expectServes(beta, released, 'beta two');
    await expectServes(alpha, releases, 'alpha two');
    expect(starting.map(({ Id }) => Id)).toEqual(
      expect.arrayContaining(
        (await containersOf(windlass.installation, 'gamma')).map(({ Id }) => Id),
      ),
    );
    expectNothingTwice();
  });

  it('a server killed while it records a push, takes manifests, releases and marks', async () => {
    const { alpha, beta, gamma, delta, epsilon } = apps;
    const healthy = gates.deployServer.hold(/POST \/internal\S*\/healthy/, 'answer');
    const marks = await alpha.pushAway('alpha three');
    await healthy.reached;
    const release = gates.deployServer.hold(RELEASE, 'answer');
    const releases = await beta.pushAway('beta three');
    await release.reached;
    const rendered = gates.buildServer.hold(/POST \/internal\S*\/rendered/, 'answer');
    const hands = await gamma.pushAway('gamma three', {
      'deploy/web.yaml': manifests('gamma', portOf('gamma')),
    });
    await rendered.reached;
    const record = gates.serverRedis.hold(/"pipeline":"delta"/);
    const commit = await delta.change('delta three');
    const pushing = delta.push();
    await record.reached;

    await windlass.kill('server');
    expect((await pushing).output).not.toContain('DEPLOYED');
    for (const { drop } of [healthy, release, rendered, record]) drop();
    await windlass.start('server');
    await expectServes(alpha, marks, 'alpha three');
    await expectServes(beta, releases, 'beta three');
    await expectServes(gamma, hands, 'gamma three');
    const found = await windlass.lastRun('delta');
    expect(found).toMatchObject({ commit, trigger: { kind: 'sweep' } });
    await expectServes(delta, found, 'delta three');
    const next = await epsilon.pushAway('epsilon three');
    await expectServes(epsilon, next, 'epsilon three');
    expectNothingTwice();
  });

  it.each(ROLES)('the %s killed over runs at every stage', async (role) => {
    const { alpha, beta, gamma, delta, epsilon } = apps;
    const waits = await epsilon.pushAway(`epsilon ${role}`, {
      'deploy/web.yaml': manifests('epsilon', portOf('epsilon'), { probe: '/ready' }),
    });
    await windlass.runUntil(waits.id, ({ deploys }) =>
      /readiness probe/.test(deploys[0]?.reason ?? ''),
    );
    const deploying = gates.deployDocker.hold(/POST \S*containers\/create\S*delta/);
    const runs: [App, RunView][] = [[delta, await delta.pushAway(`delta ${role}`)]];
    await deploying.reached;
    const building = [
      gates.buildServer.hold(/POST \/git\/alpha\.git\/git-upload-pack/),
      gates.buildDocker.hold(/POST \S*\/build\S*beta/),
      gates.registry.hold(/PUT \/v2\/gamma\/web\/manifests\//),
    ];
    for (const app of [alpha, beta, gamma])
      runs.push([app, await app.pushAway(`${app.name} ${role}`)]);
    await Promise.all(building.map(({ reached }) => reached));

    await windlass.kill(role);
    // What a killed worker has under way goes no further.
    for (const { drop, release } of building) (role === 'build' ? drop : release)();
    (role === 'deploy' ? deploying.drop : deploying.release)();
    await windlass.start(role);
    await letBeReady(epsilon, `epsilon ${role}`);
    for (const [app, run] of [...runs, [epsilon, waits] as const])
      await expectServes(app, run, `${app.name} ${role}`);
    expectNothingTwice();
  });

  it('Redis killed over a build and over a deploy that waits', async () => {
    const { alpha, beta } = apps;
    const waits = await alpha.pushAway('alpha four', {
      'deploy/web.yaml': manifests('alpha', portOf('alpha'), { probe: '/ready' }),
    });
    await windlass.runUntil(waits.id, ({ deploys }) =>
      /readiness probe/.test(deploys[0]?.reason ?? ''),
    );
    const build = gates.buildDocker.hold(/POST \S*\/build\S*beta/);
    const builds = await beta.pushAway('beta four');
    await build.reached;
    await windlass.withoutRedis(async () => {
      build.release();
      await letBeReady(alpha, 'alpha four');
      await waitUntil(async () => (await alpha.page()) === 'alpha four', 'healing without Redis');
    }, 'SIGKILL');
    await expectServes(alpha, waits, 'alpha four');
    await expectServes(beta, builds, 'beta four');
    expectNothingTwice();
  });

  it('a slow Redis, and a server far away', async () => {
    const slow = [gates.serverRedis, gates.workerRedis, gates.buildServer, gates.deployServer];
    for (const gate of slow) gate.delay(30);
    const run = await apps.gamma.pushAway('gamma five');
    await expectServes(apps.gamma, run, 'gamma five');
    for (const gate of slow) gate.delay(0);
  });

  it('a clone that is cut off in the middle', async () => {
    const { delta } = apps;
    gates.buildServer.cutAfter(200_000);
    const large = randomBytes(1_000_000).toString('base64');
    const run = await delta.pushAway('delta six', { large });
    await logTells(run, /fetching \S+ failed[\s\S]*trying again/);
    gates.buildServer.cutAfter(Infinity);
    await expectServes(delta, run, 'delta six');
    expect(await readdir(join(windlass.folder, 'state', 'build', 'checkouts'))).toEqual([]);
  });

  it('a registry that refuses, fails, and is away for a while', async () => {
    const { alpha, beta, gamma, delta } = apps;
    gates.registry.answer(401);
    const refused = await alpha.pushAway('alpha seven', {
      'deploy/web.yaml': manifests('alpha', portOf('alpha')),
    });
    expect(await ended(refused)).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/unauthorized|401|denied/) as string,
    });
    gates.registry.answer(500);
    const fails = await beta.pushAway('beta seven');
    await logTells(fails, /trying again/);
    gates.registry.answer(undefined);
    gates.registry.shut();
    const waits = await gamma.pushAway('gamma seven');
    await logTells(waits, /trying again/);
    gates.registry.open();
    await expectServes(beta, fails, 'beta seven');
    await expectServes(gamma, waits, 'gamma seven');
    expect(await alpha.page()).toBe('alpha four');
    for (const app of [alpha, beta, delta])
      await expectServes(app, await app.pushAway(`${app.name} eight`), `${app.name} eight`);
    expectNothingTwice();
  });

  it('a Docker engine that is away for a while, over a build and over a change', async () => {
    const { alpha, beta } = apps;
    const create = gates.deployDocker.hold(/POST \S*containers\/create\S*beta/);
    const deploys = await beta.pushAway('beta away');
    await create.reached;
    const build = gates.buildDocker.hold(/POST \S*\/build\S*alpha/);
    const builds = await alpha.pushAway('alpha away');
    await build.reached;
    for (const gate of [gates.buildDocker, gates.deployDocker]) gate.shut();
    for (const { drop } of [create, build]) drop();
    await logTells(builds, /trying again/);
    for (const gate of [gates.buildDocker, gates.deployDocker]) gate.open();
    await expectServes(beta, deploys, 'beta away');
    await expectServes(alpha, builds, 'alpha away');
    expectNothingTwice();
  });

  it('Redis lost for good, with runs under way and something suspended', async () => {
    const { alpha, beta, gamma } = apps;
    await windlass.post('/api/v1/entries/alpha/here/suspend');
    const waits = await gamma.pushAway('gamma lost', {
      'deploy/web.yaml': manifests('gamma', portOf('gamma'), { probe: '/ready' }),
    });
    await windlass.runUntil(waits.id, ({ deploys }) =>
      /readiness probe/.test(deploys[0]?.reason ?? ''),
    );
    const build = gates.buildDocker.hold(/POST \S*\/build\S*beta/);
    const builds = await beta.pushAway('beta lost');
    await build.reached;
    const before = await endedRuns();
    const releases = await alpha.releases();
    // A run that nobody heard end is filed by the sweep, once a minute.
    await waitUntil(() => areFiled(before), 'files of all runs that ended', 90_000);

    for (const role of ROLES) await windlass.kill(role);
    build.drop();
    await windlass.withoutRedis(async () => {
      const folder = join(windlass.folder, 'redis');
      for (const name of await readdir(folder))
        await rm(join(folder, name), { recursive: true, force: true });
    }, 'SIGKILL');
    for (const role of ROLES) await windlass.start(role);
    expect(await endedRuns()).toEqual(before);
    expect(await alpha.releases()).toEqual(releases);
    let again = await windlass.lastRun('beta');
    await waitUntil(async () => {
      again = await windlass.lastRun('beta');
      return again.commit === builds.commit;
    }, 'a new run of what was built');
    expect(again.id).not.toBe(builds.id);
    await expectServes(beta, again, 'beta lost');
    await letBeReady(gamma, 'gamma lost');
    await waitUntil(async () => (await gamma.page()) === 'gamma lost', 'what was released already');
    expect(await gamma.releasesOf(waits)).toBe(1);
    await alpha.change('alpha suspended');
    expect((await alpha.push()).output).toMatch(/alpha\/here is suspended/);
    expect(await alpha.page()).toBe('alpha away');
    await windlass.post('/api/v1/entries/alpha/here/resume');
    await expectServes(alpha, await alpha.pushAway('alpha lost'), 'alpha lost');
    expectNothingTwice();
  });

  it('every process of Windlass stopped: what runs goes on, and restarts', async () => {
    const { alpha } = apps;
    for (const role of ROLES) await windlass.kill(role);
    expect(await alpha.page()).toBe('alpha lost');
    const [web] = await containersOf(windlass.installation, 'alpha');
    process.kill(await pidOf(web?.Id ?? ''), 'SIGKILL');
    await waitUntil(async () => (await pidOf(web?.Id ?? '')) !== 0, 'a restarted container');
    await waitUntil(async () => (await alpha.page()) === 'alpha lost', 'its page');
    expect(await execIn(web?.Id ?? '', 'cat', '/words/word')).toBe('swordfish');
    for (const role of ROLES) await windlass.start(role);
    await expectServes(alpha, await alpha.pushAway('alpha nine'), 'alpha nine');
    expectNothingTwice();
  });

  it('a disk without room for what is pushed', async () => {
    const { beta } = apps;
    const before = await windlass.lastRun('beta');
    await disks.git.fill();
    await beta.change('beta ten');
    const refused = await beta.push();
    await disks.git.free();
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/no space left/i);
    expect((await windlass.lastRun('beta')).id).toBe(before.id);
    await expectServes(beta, await beta.pushAway('beta eleven'), 'beta eleven');
  });

  it('a disk without room for a checkout', async () => {
    const { beta } = apps;
    await disks.build.fill();
    const failed = await ended(await beta.pushAway('beta twelve'));
    await disks.build.free();
    expect(failed.state).toBe('failed');
    expect(failed.reason).toMatch(/no space left/i);
    await expectServes(beta, await beta.pushAway('beta thirteen'), 'beta thirteen');
  });

  it('a disk without room for a release', async () => {
    const { beta } = apps;
    const rendered = gates.buildServer.hold(/POST \/internal\S*\/rendered/);
    const run = await beta.pushAway('beta fourteen');
    await rendered.reached;
    await disks.git.fill();
    rendered.release();
    const failed = await ended(run);
    await disks.git.free();
    expect(failed.state).toBe('failed');
    expect(failed.reason).toMatch(/no space left/i);
    expect(await beta.page()).toBe('beta thirteen');
    await expectServes(beta, await beta.pushAway('beta fifteen'), 'beta fifteen');
  });

  it('a disk without room for logs', async () => {
    const { beta } = apps;
    await disks.runs.fill();
    const run = await beta.pushAway('beta sixteen');
    await expectServes(beta, run, 'beta sixteen');
    await disks.runs.free();
    await expectServes(beta, await beta.pushAway('beta seventeen'), 'beta seventeen');
  });

  it('a disk without room for what people do by hand', async () => {
    await disks.state.fill();
    const suspend = windlass.post('/api/v1/entries/beta/here/suspend');
    await expect(suspend).rejects.toThrow(/no space left/i);
    await disks.state.free();
    await windlass.post('/api/v1/entries/beta/here/suspend');
    await windlass.post('/api/v1/entries/beta/here/resume');
  });

  it('a disk without room for images', async () => {
    const { beta } = apps;
    await disks.registry.fill();
    const run = await beta.pushAway('beta eighteen');
    await logTells(run, /trying again/);
    await disks.registry.free();
    await expectServes(beta, run, 'beta eighteen');
  });

  it('a disk without room for Redis, which ends over it', async () => {
    const { beta } = apps;
    await disks.redis.fill();
    const commit = await beta.change('beta nineteen');
    const pushing = beta.push();
    await windlass.redisEnded();
    await windlass.withoutRedis(() => disks.redis.free());
    expect((await pushing).output).toMatch(/DEPLOYED beta/);
    const run = await windlass.lastRun('beta');
    expect(run.commit).toBe(commit);
    await expectServes(beta, run, 'beta nineteen');
  });
});

function portOf(name: (typeof NAMES)[number]): number {
  return PORTS[NAMES.indexOf(name)] ?? 0;
}
