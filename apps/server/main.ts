import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { z } from 'zod';
import { LOG_LEVELS, roleHelp } from '#core/environment.ts';
import { UserError } from '#core/errors.ts';
import type { Tls } from './app.ts';
import { readInput } from './read-input.ts';
import { startServer } from './server.ts';

const Environment = z.object({
  WINDLASS_STATE: z.string().default('.windlass'),
  WINDLASS_LISTEN: z.string().default('127.0.0.1:4380'),
  WINDLASS_TLS_CERT: z.string().exactOptional(),
  WINDLASS_TLS_KEY: z.string().exactOptional(),
  WINDLASS_BEHIND_PROXY: z.enum(['0', '1']).default('0'),
  REDIS_URL: z.string().default('redis://127.0.0.1:6379'),
  WINDLASS_CONFIG: z.string().default('/git/config.git'),
  WINDLASS_MAX_PACK_BYTES: z.coerce.number().int().min(1_024).exactOptional(),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});
type Environment = z.infer<typeof Environment>;

const log = pino({ base: null });

try {
  await main();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  log.fatal({ code: error.code, hint: error.hint }, error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const help = roleHelp('server', process.argv.slice(2));
  if (help !== undefined) return void process.stdout.write(help);
  const env = readInput(Environment, process.env);
  log.level = env.LOG_LEVEL;
  const tls = await readTls(env);
  const server = await startServer({
    stateDir: env.WINDLASS_STATE,
    listen: env.WINDLASS_LISTEN,
    redisUrl: env.REDIS_URL,
    config: env.WINDLASS_CONFIG,
    behindProxy: env.WINDLASS_BEHIND_PROXY === '1',
    environment: process.env,
    log,
    ...(tls === undefined ? {} : { tls }),
    ...(env.WINDLASS_MAX_PACK_BYTES === undefined
      ? {}
      : { maxPackBytes: env.WINDLASS_MAX_PACK_BYTES }),
  });
  log.info({ url: server.url, state: env.WINDLASS_STATE }, 'the server listens');
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      void server.close().then(() => process.exit(0));
    });
  }
}

async function readTls(env: Environment): Promise<Tls | undefined> {
  const { WINDLASS_TLS_CERT: cert, WINDLASS_TLS_KEY: key } = env;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new UserError('invalid-input', 'TLS needs both WINDLASS_TLS_CERT and WINDLASS_TLS_KEY');
  return { cert: await readPem(cert), key: await readPem(key) };
}

async function readPem(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError('not-found', `${file} cannot be read`, { cause: error });
  });
}
