import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import type { ByHand } from '#core/by-hand/by-hand.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { RunStore, ServerApi } from '#core/ports.ts';
import { newRun } from '#core/run/new-run.ts';
import type { Controller } from './controller.ts';
import { Window } from '#core/windows/window.ts';
import { runDeploy, WindowClosed } from './run-deploy.ts';

const NEVER = new AbortController().signal;
const NOON = Date.parse('2026-06-01T12:00Z');
const NIGHT = { kind: 'allow', schedule: '0 22 * * *', minutes: 60 };
const JOB = { runId: '7', entry: 'here' };

/** Everything after the windows is told by this. */
const BEGAN = new Error('it began');

async function record(runs: RunStore, windows: object[]): Promise<void> {
  const spec = PipelineSpec.parse({ deploy: [{ cluster: 'here', manifests: 'a', windows }] });
  const trigger = { kind: 'push', ref: 'refs/heads/main', before: '', after: 'c1', who: 'ada' };
  const run = newRun({ id: '7', pipeline: 'shop', spec, trigger: trigger as never, at: NOON });
  await runs.record([{ runs: [run] }]);
}

function deploy(
  runs: RunStore,
  now: number,
  hand: ByHand = {},
  declared?: object[],
): Promise<void> {
  const server = {
    byHand: () => Promise.resolve({ 'shop/here': hand }),
    release: () => Promise.reject(BEGAN),
  };
  const context = {
    runs,
    server: server as unknown as ServerApi,
    controller: {
      windowsOf: () => declared?.map((window) => Window.parse(window)),
    } as unknown as Controller,
    oneAtATime: createKeyedLock(),
    now: () => now,
    log: pino({ level: 'silent' }),
  };
  return runDeploy(JOB, context, NEVER, NEVER);
}

describe('a deploy with windows', () => {
  it('waits for one, and says so once', async () => {
    const runs = createMemoryRunStore();
    await record(runs, [NIGHT]);
    const closed = await deploy(runs, NOON).catch((error: unknown) => error);
    expect(closed).toBeInstanceOf(WindowClosed);
    await expect(deploy(runs, NOON + 1)).rejects.toThrow(WindowClosed);
    const run = await runs.get('7');
    expect(run).toMatchObject({ state: 'queued' });
    expect(run?.deploys[0]?.reason).toMatch(/^deploys are closed until 2026-06-01 22:00 UTC/);
    const opening = Date.parse('2026-06-01T22:00Z');
    const late = await deploy(runs, opening - 2_000).catch((error: unknown) => error);
    expect(late).toMatchObject({ lookAt: opening });
    await expect(deploy(runs, opening)).rejects.toThrow(BEGAN);
  });

  it.each([
    ['begins where somebody has opened it', NIGHT, NOON + 1, BEGAN.message],
    ['waits where that is over', NIGHT, NOON, 'deploys are closed'],
    ['waits where the window lets nobody', { ...NIGHT, override: false }, NOON + 1, 'closed'],
  ])('%s', async (_name, window, until, told) => {
    const runs = createMemoryRunStore();
    await record(runs, [window]);
    const opened = { who: 'ada', at: NOON, until };
    await expect(deploy(runs, NOON, { opened })).rejects.toThrow(told);
  });

  it('goes by those that are declared now, and by its own where it is declared no more', async () => {
    const runs = createMemoryRunStore();
    await record(runs, [NIGHT]);
    await expect(deploy(runs, NOON, {}, [])).rejects.toThrow(BEGAN);
    await record(runs, []);
    await expect(deploy(runs, NOON, {}, [NIGHT])).rejects.toThrow(WindowClosed);
  });

  it('that has begun goes on', async () => {
    const runs = createMemoryRunStore();
    await record(runs, [NIGHT]);
    await runs.apply('7', { kind: 'started', at: NOON });
    await runs.apply('7', { kind: 'step', step: 'release here', state: 'running', at: NOON });
    await expect(deploy(runs, NOON)).rejects.toThrow(BEGAN);
  });
});
