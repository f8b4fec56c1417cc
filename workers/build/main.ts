import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { z } from 'zod';
import { createServerApi } from '#adapters/server-api/client.ts';
import { learnIdentity } from '#adapters/state/identity.ts';
import { createWorkerToken } from '#adapters/state/worker-token.ts';
import { LOG_LEVELS, roleHelp } from '#core/environment.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { startBuildRole } from './role.ts';

const END_TIMEOUT_MS = 15_000;
const NEVER = new AbortController().signal;

const Environment = z.object({
  REDIS_URL: z.string().min(1),
  WINDLASS_SERVER_URL: z.url().default('http://127.0.0.1:4380'),
  WINDLASS_WORKER_TOKEN: z.string().optional(),
  WINDLASS_REGISTRY: z.string().min(1),
  WINDLASS_STATE: z.string().min(1).default('.windlass'),
  WINDLASS_BUILDS: z.coerce.number().int().min(1).max(64).default(2),
  DOCKER_HOST: z.string().default('unix:///var/run/docker.sock'),
  DOCKER_CONFIG: z.string().optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

async function main(): Promise<void> {
  const help = roleHelp('build worker', process.argv.slice(2));
  if (help !== undefined) return void process.stdout.write(help);
  const environment = readEnvironment();
  const log = pino({ level: environment.LOG_LEVEL }, pino.destination(2));
  const stateDir = resolve(environment.WINDLASS_STATE);
  const token = createWorkerToken(stateDir, environment.WINDLASS_WORKER_TOKEN);
  const server = { url: environment.WINDLASS_SERVER_URL, token };
  const { installation } = await learnIdentity(
    stateDir,
    createServerApi({ ...server, patienceMs: 0 }),
    log,
    NEVER,
  );
  const role = startBuildRole({
    stateDir,
    installation,
    redisUrl: environment.REDIS_URL,
    registry: environment.WINDLASS_REGISTRY,
    docker: environment.DOCKER_HOST,
    dockerConfig: join(environment.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json'),
    server,
    environment: process.env,
    builds: environment.WINDLASS_BUILDS,
    log,
  });
  log.info({ builds: environment.WINDLASS_BUILDS }, 'build worker started');
  const signal = await endSignal();
  log.info({ signal }, 'build worker ends: builds under way go back to the queue');
  setTimeout(() => process.exit(1), END_TIMEOUT_MS).unref();
  await role.close();
}

function readEnvironment(): z.infer<typeof Environment> {
  const parsed = Environment.safeParse(process.env);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new UserError('invalid-input', `the environment is incomplete: ${problems.join('; ')}`, {
    hint: 'a build worker needs REDIS_URL and WINDLASS_REGISTRY; `npm start` needs neither',
  });
}

function endSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}

try {
  await main();
} catch (error) {
  const hint = error instanceof UserError && error.hint !== undefined ? ` (${error.hint})` : '';
  process.stderr.write(`windlass worker build: ${messageOf(error)}${hint}\n`);
  process.exitCode = 1;
}
