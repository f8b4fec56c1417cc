import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram } from '#adapters/debian/run-program.ts';
import { ensureDockerd } from './dockerd.ts';
import type { DockerdRequest } from './dockerd.ts';
import { startOf } from './identity.ts';
import { stopProcess } from './stop-process.ts';

const signal = AbortSignal.timeout(110_000);
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-dockerd-'));
});
afterAll(async () => {
  // dockerd mounts its folder onto itself, and leaves it so.
  const args = ['-l', join(folder, 'data')];
  const cleanUp = AbortSignal.timeout(10_000);
  await runProgram({ command: 'umount', args, timeoutMs: 10_000, signal: cleanUp });
  await rm(folder, { recursive: true, force: true });
});

function request(change: Partial<DockerdRequest>): DockerdRequest {
  return {
    socket: join(folder, 'docker.sock'),
    logFile: join(folder, 'dockerd.log'),
    path: process.env['PATH'] ?? '',
    // A second engine beside the machine's own, which it must leave alone.
    args: [
      `--data-root=${join(folder, 'data')}`,
      `--exec-root=${join(folder, 'exec')}`,
      `--pidfile=${join(folder, 'dockerd.pid')}`,
      '--bridge=none',
      '--iptables=false',
    ],
    isSystemd: false,
    onStep: () => {},
    ...change,
  };
}

it('starts an engine that is not running, once', async () => {
  const steps: string[] = [];
  const wanted = request({ onStep: (what) => steps.push(what) });
  const { startedPid = 0 } = await ensureDockerd(wanted, signal);
  expect(startedPid).toBeGreaterThan(0);
  expect(await ensureDockerd(wanted, signal)).toEqual({});
  expect(steps).toEqual(['starting the Docker Engine']);
  await stopProcess({ pid: startedPid, started: (await startOf(startedPid)) ?? '' }, 20_000);
});

it('says what the engine said where it does not start', async () => {
  const socket = join(folder, 'second.sock');
  const started = ensureDockerd(request({ socket, args: ['--no-such-option'] }), signal);
  await expect(started).rejects.toThrow(/no-such-option/);
});

it('says what to install where there is no way to', async () => {
  const socket = join(folder, 'third.sock');
  const found = ensureDockerd(request({ socket, path: '/nowhere' }), signal);
  await expect(found).rejects.toMatchObject({
    code: expect.stringMatching(/missing-tool|unavailable/),
  });
});
