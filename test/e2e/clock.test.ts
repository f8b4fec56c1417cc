import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunList, RunView } from '#core/api/run.ts';
import { createApp, manifests, pipelineOf } from '../support/app.ts';
import type { App } from '../support/app.ts';
import { containersOf, execIn } from '../support/containers.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';
import { createFakeClock } from '../tools/fake-clock.ts';
import type { FakeClock } from '../tools/fake-clock.ts';
import { freeNodePort } from '../tools/process.ts';

const PORT = await freeNodePort();
const HOUR = 3_600;
/** By then a pod that answers is ready. */
const PROBED_MS = 3_000;
const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
${pipelineOf('clock')}
`;

let folder: string;
let clock: FakeClock;
let windlass: Windlass;
let app: App;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-clock-'));
  clock = await createFakeClock(join(folder, 'clock'));
  const { environment } = clock;
  windlass = await startWindlass(CONFIG, {
    environment: async () => ({ server: environment, build: environment, deploy: environment }),
  });
  app = await createApp(windlass, 'clock', PORT);
});
afterAll(async () => {
  await windlass.stop();
  await app.repository.remove();
  await rm(folder, { recursive: true });
});

async function setBack(seconds: number): Promise<void> {
  await clock.setBack(seconds);
  await waitUntil(async () => {
    const response = await fetch(`${windlass.url}/healthz`);
    const behindMs = Date.now() - Date.parse(response.headers.get('date') ?? '');
    return Math.abs(behindMs - seconds * 1_000) < 60_000;
  }, `a server that is ${seconds} s behind`);
}

async function expectServes(run: RunView, page: string): Promise<void> {
  const ended = await windlass.runUntil(run.id, ({ endedAt }) => endedAt !== undefined);
  expect(ended).toMatchObject({ state: 'succeeded', reason: '' });
  expect(await app.releasesOf(run)).toBe(1);
  expect(await app.page()).toBe(page);
}

it('a deploy goes on whose clock is set back by an hour', async () => {
  await expectServes(await app.pushAway('one'), 'one');
  const run = await app.pushAway('two', {
    'deploy/web.yaml': manifests('clock', PORT, { probe: '/ready' }),
  });
  await windlass.runUntil(run.id, ({ deploys }) =>
    /readiness probe/.test(deploys[0]?.reason ?? ''),
  );
  await setBack(HOUR);
  for (const { Id } of await containersOf(windlass.installation, 'clock'))
    await execIn(Id, 'touch', '/www/ready');
  await expectServes(run, 'two');
});

it('what is pushed after that is newer, and workers that die over it are replaced', async () => {
  const run = await app.pushAway('three', { 'deploy/web.yaml': manifests('clock', PORT) });
  for (const role of ['build', 'deploy', 'server'] as const) {
    await windlass.kill(role);
    await windlass.start(role);
  }
  await expectServes(run, 'three');
  const { runs } = await windlass.get<RunList>('/api/v1/runs?limit=2');
  expect(runs.map(({ commit }) => commit)).toEqual([run.commit, expect.any(String)]);
});

it('a clock that is right again changes nothing that serves', async () => {
  // Of the release before there may be one that ends.
  const before = await containersOf(windlass.installation, 'clock');
  await setBack(0);
  const other = {
    'deploy/other.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: other }\n',
  };
  await expectServes(await app.pushAway('three', other), 'three');
  await waitUntil(
    async () => (await containersOf(windlass.installation, 'clock')).length === 1,
    'the end of the pod before',
  );
  const after = await containersOf(windlass.installation, 'clock');
  expect(before.map(({ Id }) => Id)).toContain(after[0]?.Id);
});

it('a pod that is to be ready for a while is so, whatever the clock says meanwhile', async () => {
  const patient = manifests('clock', PORT).replace('spec:', 'spec:\n  minReadySeconds: 10');
  const run = await app.pushAway('four', { 'deploy/web.yaml': patient });
  await waitUntil(
    async () => (await containersOf(windlass.installation, 'clock')).length === 2,
    'the pod of the new release',
  );
  await sleep(PROBED_MS);
  await setBack(HOUR);
  await expectServes(run, 'four');
});
