import { hostname, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { z } from 'zod';
import { createServerApi } from '#adapters/server-api/client.ts';
import { learnIdentity } from '#adapters/state/identity.ts';
import { createWorkerToken } from '#adapters/state/worker-token.ts';
import { LOG_LEVELS, roleHelp } from '#core/environment.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { startDeployRole } from './role.ts';

const END_TIMEOUT_MS = 15_000;
const NEVER = new AbortController().signal;

const Environment = z.object({
  REDIS_URL: z.string().min(1),
  WINDLASS_SERVER_URL: z.url().default('http://127.0.0.1:4380'),
  WINDLASS_WORKER_TOKEN: z.string().optional(),
  WINDLASS_STATE: z.string().min(1).default('.windlass'),
  WINDLASS_WORKER_NAME: z.string().min(1).optional(),
  WINDLASS_SANDBOX_IMAGE: z.string().min(1).default(SYSTEM_IMAGES.sandbox),
  WINDLASS_PROXY_IMAGE: z.string().min(1).default(SYSTEM_IMAGES.proxy),
  WINDLASS_NAME_SERVER_IMAGE: z.string().min(1).default(SYSTEM_IMAGES.nameServer),
  WINDLASS_UDP_PROXY_IMAGE: z.string().min(1).default(SYSTEM_IMAGES.udpProxy),
  WINDLASS_RECORD_SERVER_IMAGE: z.string().min(1).default(SYSTEM_IMAGES.recordServer),
  WINDLASS_PROBE_IMAGE: z.string().min(1).default(SYSTEM_IMAGES.probe),
  DOCKER_CONFIG: z.string().optional(),
  SSH_AUTH_SOCK: z.string().optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

async function main(): Promise<void> {
  const help = roleHelp('deploy worker', process.argv.slice(2));
  if (help !== undefined) return void process.stdout.write(help);
  const environment = readEnvironment();
  const log = pino({ level: environment.LOG_LEVEL }, pino.destination(2));
  const stateDir = resolve(environment.WINDLASS_STATE);
  const token = createWorkerToken(stateDir, environment.WINDLASS_WORKER_TOKEN);
  const server = { url: environment.WINDLASS_SERVER_URL, token };
  const holder = environment.WINDLASS_WORKER_NAME ?? `${hostname()}-${process.pid}`;
  const identity = await learnIdentity(
    stateDir,
    createServerApi({ ...server, patienceMs: 0 }),
    log,
    NEVER,
  );
  const role = startDeployRole({
    ...identity,
    redisUrl: environment.REDIS_URL,
    images: {
      sandbox: environment.WINDLASS_SANDBOX_IMAGE,
      proxy: environment.WINDLASS_PROXY_IMAGE,
      nameServer: environment.WINDLASS_NAME_SERVER_IMAGE,
      udpProxy: environment.WINDLASS_UDP_PROXY_IMAGE,
      recordServer: environment.WINDLASS_RECORD_SERVER_IMAGE,
      probe: environment.WINDLASS_PROBE_IMAGE,
    },
    dockerConfig: join(environment.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json'),
    server,
    environment: process.env,
    ssh: {
      folder: join(homedir(), '.ssh'),
      ...(environment.SSH_AUTH_SOCK === undefined ? {} : { agent: environment.SSH_AUTH_SOCK }),
    },
    holder,
    log,
  });
  log.info({ holder }, 'deploy worker started');
  const signal = await endSignal();
  log.info(
    { signal },
    'deploy worker ends: its clusters are free for others, what runs on them stays',
  );
  setTimeout(() => process.exit(1), END_TIMEOUT_MS).unref();
  await role.close();
}

function readEnvironment(): z.infer<typeof Environment> {
  const parsed = Environment.safeParse(process.env);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new UserError('invalid-input', `the environment is incomplete: ${problems.join('; ')}`, {
    hint: 'a deploy worker needs REDIS_URL; `npm start` does not',
  });
}

function endSignal(): Promise<NodeJS.Signals> {
  return new Promise((done) => {
    process.once('SIGINT', done);
    process.once('SIGTERM', done);
  });
}

try {
  await main();
} catch (error) {
  const hint = error instanceof UserError && error.hint !== undefined ? ` (${error.hint})` : '';
  process.stderr.write(`windlass worker deploy: ${messageOf(error)}${hint}\n`);
  process.exitCode = 1;
}
