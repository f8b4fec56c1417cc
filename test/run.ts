import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectDocker } from '#adapters/docker/connect.ts';
import { ensureImages } from '#adapters/images/ensure.ts';
import { DOCKER_REGISTRY, findTool, REDIS_SERVER } from '#adapters/debian/tool.ts';
import { ensureDockerd } from '#adapters/processes/dockerd.ts';
import { startOf } from '#adapters/processes/identity.ts';
import { stopProcess } from '#adapters/processes/stop-process.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { count, filesToRepeat, lastLine, oneFailure, readFiles, sum } from './results.ts';
import type { Counts, ProjectRun } from './results.ts';

const DOCKER_SOCKET = '/var/run/docker.sock';
const SETUP_TIMEOUT_MS = 900_000;
const DOCKER_STOP_MS = 30_000;
const CHECKS = [
  ['types', 'tsc', '--noEmit'],
  ['lint', 'oxlint', '--type-aware'],
  ['format', 'oxfmt', '--check'],
  ['unused code', 'knip'],
] as const;
const PROJECTS = ['unit', 'integration', 'conformance', 'e2e'];

const path = process.env['PATH'] ?? '';
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());

process.exitCode = (await testAll()) ? 0 : 1;

/** Sets up what tests need, runs everything and tells what failed and, in the last line, the sum. */
async function testAll(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-test-'));
  let startedDocker: number | undefined;
  const counts: Counts[] = [];
  try {
    startedDocker = await setUp(
      AbortSignal.any([stop.signal, AbortSignal.timeout(SETUP_TIMEOUT_MS)]),
    );
    for (const [name, command, ...args] of CHECKS) {
      if (!(await run(name, command, args))) counts.push(oneFailure(`${name}: see above`));
    }
    for (const project of PROJECTS) counts.push(await runProject(project, folder));
  } catch (error) {
    counts.push(oneFailure(describe(error)));
  } finally {
    if (startedDocker !== undefined) await stopDocker(startedDocker);
    await rm(folder, { recursive: true, force: true });
  }
  const total = sum(counts);
  for (const failure of total.flaky) say(`FLAKY, passed when run again: ${failure}`);
  for (const failure of total.failures) say(`FAILED ${failure}`);
  say(lastLine(total));
  return total.failed === 0;
}

/** Answers the pid of a dockerd that was started for the tests. */
async function setUp(signal: AbortSignal): Promise<number | undefined> {
  const begun = performance.now();
  say('== setup: Docker Engine, Redis, registry, images');
  const logFile = join(tmpdir(), 'windlass-test-dockerd.log');
  const { startedPid } = await ensureDockerd(
    { socket: DOCKER_SOCKET, logFile, path, onStep: say },
    signal,
  );
  const search = { tools: join(tmpdir(), 'windlass-tools'), path };
  await findTool(REDIS_SERVER, search, signal);
  await findTool(DOCKER_REGISTRY, search, signal);
  const docker = connectDocker(`unix://${DOCKER_SOCKET}`);
  const images = await ensureImages(docker, SYSTEM_IMAGES, search, signal);
  for (const { image, how } of images) say(`${image}: ${how}`);
  told('setup', begun, true);
  return startedPid;
}

/** What fails beside real engines and processes may be chance: its files are run once more, and that is told. */
async function runProject(project: string, folder: string): Promise<Counts> {
  const first = await runVitest(project, join(folder, `${project}.json`), []);
  const repeat = project === 'unit' ? [] : filesToRepeat(first);
  if (repeat.length === 0) return count(first);
  return count(first, await runVitest(project, join(folder, `${project}-again.json`), repeat));
}

async function runVitest(
  project: string,
  report: string,
  files: readonly string[],
): Promise<ProjectRun> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const name = `${project} tests${files.length === 0 ? '' : ' that failed, once more'}`;
  const args = ['run', '--project', project, ...reporters, ...files];
  const hasSucceeded = await run(name, 'vitest', args);
  return { project, hasSucceeded, files: await readFiles(report) };
}

/** The programs are on the PATH: setup/run.mjs puts the project's own first. */
async function run(name: string, command: string, args: readonly string[]): Promise<boolean> {
  stop.signal.throwIfAborted();
  const begun = performance.now();
  say(
    `== ${name}: ${[command, ...args.filter((arg) => !arg.startsWith('--outputFile'))].join(' ')}`,
  );
  const child = spawn(command, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  told(name, begun, code === 0);
  return code === 0;
}

async function stopDocker(pid: number): Promise<void> {
  await stopProcess({ pid, started: (await startOf(pid)) ?? '' }, DOCKER_STOP_MS);
}

function told(name: string, begun: number, isGood: boolean): void {
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  say(`== ${name}: ${isGood ? 'ok' : 'FAILED'} (${seconds} s)`);
}

function describe(error: unknown): string {
  const hint = error instanceof UserError && error.hint !== undefined ? ` (${error.hint})` : '';
  return `${messageOf(error)}${hint}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
