import { chmod, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram } from '#adapters/debian/run-program.ts';
import { findOnPath } from '#adapters/debian/find-on-path.ts';
import { ensureDockerd } from './dockerd.ts';
import type { DockerdRequest } from './dockerd.ts';
import { startOf } from './identity.ts';
import { stopProcess } from './stop-process.ts';

const signal = AbortSignal.timeout(110_000);
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-dockerd-'));
  // In a network namespace of its own: a dockerd without a bridge deletes docker0, which is the machine's engine's.
  const found = await findOnPath('dockerd', process.env['PATH'] ?? '');
  await writeFile(join(folder, 'dockerd'), `#!/bin/sh\nexec unshare --net ${found} "$@"\n`);
  await chmod(join(folder, 'dockerd'), 0o755);
});
afterAll(async () => {
  // dockerd may leave its folder mounted onto itself.
  const data = join(folder, 'data');
  const isMounted = (await readFile('/proc/self/mounts', 'utf8')).includes(` ${data} `);
  const cleanUp = AbortSignal.timeout(10_000);
  const umount = { command: 'umount', args: ['-l', data], timeoutMs: 10_000, signal: cleanUp };
  if (isMounted) await runProgram(umount);
  await rm(folder, { recursive: true, force: true });
});

function request(change: Partial<DockerdRequest>): DockerdRequest {
  return {
    socket: join(folder, 'docker.sock'),
    logFile: join(folder, 'dockerd.log'),
    path: `${folder}:${process.env['PATH']}`,
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
  expect(await readlink(`/proc/${startedPid}/ns/net`)).not.toBe(
    await readlink('/proc/self/ns/net'),
  );
  await stopProcess({ pid: startedPid, started: (await startOf(startedPid)) ?? '' }, 20_000);
});

it('says what the engine said where it does not start', async () => {
  const socket = join(folder, 'second.sock');
  const started = ensureDockerd(request({ socket, args: ['--no-such-option'] }), signal);
  await expect(started).rejects.toThrow(/no-such-option/);
});
