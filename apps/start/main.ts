import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { destination, pino } from 'pino';
import { messageOf, UserError } from '#core/errors.ts';
import { announcement } from './announce.ts';
import { createCleanup } from './cleanup.ts';
import { startEmbedded, WINDLASS_LOG } from './embedded.ts';
import { showExample } from './example.ts';
import { createReport } from './report.ts';

const INTERRUPTED = 130;
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const program = new Command('windlass start')
  .description('Server and both workers in one process, with what they need.')
  .option('--state <folder>', 'keeps everything', process.env['WINDLASS_STATE'] ?? '.windlass')
  .option(
    '--listen <address:port>',
    'where the server answers',
    process.env['WINDLASS_LISTEN'] ?? '127.0.0.1:4380',
  )
  .option(
    '--config <source>',
    'folder or git URL with pipelines and clusters, or /git/config.git',
    process.env['WINDLASS_CONFIG'] ?? '.',
  )
  .option('--no-example', 'do not deploy the example at the first start')
  .allowExcessArguments(false)
  .parse();
const values = program.opts<{ state: string; listen: string; config: string; example: boolean }>();

const stateDir = resolve(values.state);
mkdirSync(stateDir, { recursive: true, mode: 0o700 });
const logFile = join(stateDir, WINDLASS_LOG);
const level = process.env['LOG_LEVEL'] ?? 'info';
const log = pino({ level }, destination({ dest: logFile, sync: true }));
const report = createReport((text) => process.stdout.write(text));
const cleanup = createCleanup(log);

/** One Ctrl-C may arrive twice: from the terminal, and passed on by npm. */
const ONE_PRESS_MS = 500;

const stop = new AbortController();
let stoppedAt = 0;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (stop.signal.aborted) {
      if (performance.now() - stoppedAt > ONE_PRESS_MS) process.exit(INTERRUPTED);
      return;
    }
    stoppedAt = performance.now();
    report.line('\nStopping; once more to force it.');
    stop.abort(new UserError('cancelled', 'stopped'));
  });
}

process.exit(await start());

/** Runs until it is told to stop; answers the exit code. */
async function start(): Promise<number> {
  try {
    report.line(`Windlass sets up in ${stateDir}`);
    const embedded = await startEmbedded({ ...settings(), report, cleanup, log }, stop.signal);
    const exampleUrl = await example(embedded);
    report.line(announcement({ ...embedded, exampleUrl }));
    await stopped();
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    log.error({ err: error }, 'the start failed');
    tellFailure(error);
    return 1;
  } finally {
    await cleanup.run();
  }
}

async function example(
  embedded: Awaited<ReturnType<typeof startEmbedded>>,
): Promise<string | undefined> {
  if (!values.example) return undefined;
  const path = process.env['PATH'] ?? '';
  const folder = join(root, 'examples', 'hello');
  return showExample({ stateDir, example: folder, path, embedded, report }, stop.signal);
}

function settings(): Omit<Parameters<typeof startEmbedded>[0], 'report' | 'cleanup' | 'log'> {
  const { REDIS_URL: redisUrl, WINDLASS_REGISTRY: registry } = process.env;
  const { DOCKER_CONFIG, SSH_AUTH_SOCK: agent } = process.env;
  return {
    stateDir,
    listen: values.listen,
    config: values.config,
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(registry === undefined ? {} : { registry }),
    dockerConfig: join(DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json'),
    environment: process.env,
    ssh: { folder: join(homedir(), '.ssh'), ...(agent === undefined ? {} : { agent }) },
  };
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    if (stop.signal.aborted) resolve();
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function tellFailure(error: unknown): void {
  process.stderr.write(`\nwindlass: ${messageOf(error)}\n`);
  if (error instanceof UserError && error.hint !== undefined) {
    process.stderr.write(`  ${error.hint}\n`);
  }
  if (!(error instanceof UserError)) process.stderr.write(`  this is a bug: see ${logFile}\n`);
}
