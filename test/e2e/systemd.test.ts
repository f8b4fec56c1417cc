import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { hasApt, installPackages } from '#adapters/debian/apt.ts';
import { findOnPath } from '#adapters/debian/find-on-path.ts';

const UNIT = 'packaging/windlass.service';
const run = promisify(execFile);
const path = process.env['PATH'] ?? '';

it('is a unit that systemd finds nothing wrong with', async ({ skip }) => {
  const analyze = await findAnalyze();
  if (analyze === undefined) return skip('there is no systemd-analyze, and no apt to install it');
  const folder = await mkdtemp(join(tmpdir(), 'windlass-unit-'));
  const file = join(folder, 'windlass.service');
  const text = await readFile(UNIT, 'utf8');
  await writeFile(file, text.replaceAll('/opt/windlass', resolve('.')));
  const { stdout, stderr } = await run(analyze, ['verify', '--man=no', file]);
  expect(stdout + stderr).not.toContain('windlass.service');
  await rm(folder, { recursive: true });
});

async function findAnalyze(): Promise<string | undefined> {
  const found = await findOnPath('systemd-analyze', path);
  if (found !== undefined || !(await hasApt(path))) return found;
  await installPackages(['systemd'], AbortSignal.timeout(300_000));
  return findOnPath('systemd-analyze', path);
}
