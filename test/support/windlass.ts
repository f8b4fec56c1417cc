import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#core/errors.ts';
import { RunLogEvent } from '#core/api/run.ts';
import type { RunView } from '#core/api/run.ts';
import { endedWithUs, freePort } from '../tools/process.ts';
import { startRedis } from '../tools/redis.ts';
import { startRegistry } from '../tools/registry.ts';
import { cleanUp, uniqueInstallation } from './installation.ts';

const ROLES = {
  server: 'apps/server/main.ts',
  build: 'workers/build/main.ts',
  deploy: 'workers/deploy/main.ts',
} as const;
type Role = keyof typeof ROLES;
type Environment = Readonly<Record<string, string>>;

/** What the roles find, before any of them is started. */
export interface Surroundings {
  /** Path of the socket. */
  redis: string;
  registry: { host: string; port: number };
  server: { host: string; port: number };
}

export type RoleEnvironments = Partial<Record<Role, Environment>>;

interface Options {
  /** Called with the folder that will hold everything; answers what undoes it. */
  prepare?: (folder: string) => Promise<() => Promise<void>>;
  /** What a role finds that differs from what all have. */
  environment?: (surroundings: Surroundings) => Promise<RoleEnvironments>;
  /** The words before a role's command. */
  within?: Partial<Record<Role, readonly [string, ...string[]]>>;
}

/** Windlass as it runs in production: each role a process, on a Redis and a registry of its own. */
export interface Windlass {
  folder: string;
  url: string;
  /** `host:port` of its image registry. */
  registry: string;
  installation: string;
  token: string;
  start(role: Role, environment?: Environment): Promise<void>;
  /** SIGKILL, without a word. */
  kill(role: Role): Promise<void>;
  /** SIGTERM: it ends what it does and lets go of what it holds. */
  end(role: Role): Promise<void>;
  /** Of what runs now, by name; also Redis and the registry. */
  pids(): Record<string, number>;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  /** Takes Redis away for a while; it comes back with what it kept. */
  withoutRedis(work: () => Promise<void>, signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when Redis has ended by itself. */
  redisEnded(): Promise<void>;
  /** The newest run of a pipeline. */
  lastRun(pipeline: string): Promise<RunView>;
  /** The lines of a run's log. */
  logOf(id: string): Promise<string>;
  /** Waits until the run is as asked. */
  runUntil(id: string, until: (run: RunView) => boolean): Promise<RunView>;
  stop(): Promise<void>;
}

/** Starts everything on free ports; `config` is the declared YAML. */
export async function startWindlass(config: string, options: Options = {}): Promise<Windlass> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-e2e-'));
  const undo = await options.prepare?.(folder);
  const installation = uniqueInstallation();
  const stateDir = join(folder, 'state');
  await mkdir(join(folder, 'config', 'pipelines'), { recursive: true });
  await mkdir(stateDir, { recursive: true });
  await writeFile(join(folder, 'config', 'pipelines', 'all.yaml'), config);
  await writeFile(join(stateDir, 'installation'), `${installation}\n`);
  let redis = await startRedis(join(folder, 'redis'));
  const registry = await startRegistry(join(folder, 'registry'));
  const server = { host: '127.0.0.1', port: await freePort() };
  const listen = `${server.host}:${server.port}`;
  const url = `http://${listen}`;
  const own = await options.environment?.({
    redis: redis.url,
    registry: { host: '127.0.0.1', port: registry.port },
    server,
  });
  const children = new Map<Role, ChildProcess>();
  const env = {
    PATH: process.env['PATH'] ?? '',
    // As `npm start` and the Dockerfile have it.
    NODE_OPTIONS: '--max-semi-space-size=4',
    HOME: folder,
    REDIS_URL: redis.url,
    WINDLASS_STATE: stateDir,
    WINDLASS_LISTEN: listen,
    WINDLASS_CONFIG: join(folder, 'config'),
    WINDLASS_SERVER_URL: url,
    WINDLASS_REGISTRY: registry.host,
    WEBHOOK_SECRET: 'webhook secret',
  };

  async function start(role: Role, more: Environment = {}): Promise<void> {
    const words = [...(options.within?.[role] ?? []), process.execPath, ROLES[role]];
    const [command, ...args] = endedWithUs(words);
    const child = spawn(command, args, {
      env: { ...env, ...own?.[role], ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(join(folder, `${role}.log`), { flags: 'a' });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    children.set(role, child);
    if (role !== 'server') return;
    await waitUntil(
      async () => (await fetch(`${url}/readyz`)).ok,
      `the server (see ${folder}/server.log)`,
      60_000,
    );
  }

  async function end(role: Role, signal: NodeJS.Signals): Promise<void> {
    const child = children.get(role);
    children.delete(role);
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  await start('server');
  const { admin: token } = JSON.parse(await readFile(join(stateDir, 'tokens.json'), 'utf8')) as {
    admin: string;
  };
  await Promise.all([start('build'), start('deploy')]);

  async function call<T>(path: string, init: RequestInit): Promise<T> {
    const response = await fetch(`${url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer as T;
  }

  function get<T>(path: string): Promise<T> {
    return call(path, {});
  }

  return {
    folder,
    url,
    registry: registry.host,
    installation,
    token,
    start,
    kill: (role) => end(role, 'SIGKILL'),
    pids: () => ({
      ...Object.fromEntries([...children].map(([role, { pid }]) => [role, pid ?? 0])),
      redis: redis.pid,
      registry: registry.pid,
    }),
    end: (role) => end(role, 'SIGTERM'),
    get,
    post: (path, body = {}) => call(path, { method: 'POST', body: JSON.stringify(body) }),
    async withoutRedis(work, signal) {
      await redis.stop(signal);
      try {
        await work();
      } finally {
        redis = await startRedis(join(folder, 'redis'));
      }
    },
    redisEnded: () => redis.ended,
    lastRun: async (pipeline) => {
      const { runs } = await get<{ runs: RunView[] }>(`/api/v1/runs?pipeline=${pipeline}&limit=1`);
      const [run] = runs;
      if (run === undefined) throw new Error(`${pipeline} has no run`);
      return run;
    },
    async logOf(id) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${url}/api/v1/runs/${id}/logs`, { headers });
      const events = (await answer.text()).trim().split('\n');
      return events
        .map((event) => RunLogEvent.parse(JSON.parse(event)))
        .flatMap((event) => (event.kind === 'log' ? [event.line] : []))
        .join('\n');
    },
    runUntil: async (id, until) => {
      let run = await get<RunView>(`/api/v1/runs/${id}`);
      async function isThere(): Promise<boolean> {
        run = await get<RunView>(`/api/v1/runs/${id}`);
        return until(run);
      }
      await waitUntil(isThere, `run ${id}`, 90_000).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${JSON.stringify(run, undefined, 1)}`, { cause: error });
      });
      return run;
    },
    async stop() {
      await Promise.all(
        (['deploy', 'build', 'server'] as const).map((role) => end(role, 'SIGTERM')),
      );
      await cleanUp(installation);
      await redis.stop();
      await registry.stop();
      await undo?.();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks again and again; an error counts as no. */
export async function waitUntil(
  ask: () => Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  let last = '';
  while (Date.now() < end) {
    try {
      if (await ask()) return;
      last = '';
    } catch (error) {
      last = `: ${messageOf(error)}`;
    }
    await sleep(100);
  }
  throw new Error(`${what}: not within ${timeoutMs / 1_000} s${last}`);
}
