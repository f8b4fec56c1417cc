import { access, constants, mkdir, readdir } from 'node:fs/promises';
import { isIPv4, isIPv6 } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openSealer } from '#adapters/age/seal.ts';
import { packRepository } from '#adapters/git/pack.ts';
import { readRemoteHeads } from '#adapters/git/remote-heads.ts';
import { createJobQueue } from '#adapters/queue/job-queue.ts';
import { readCredentials } from '#adapters/secrets/read-credentials.ts';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { makeIdentity } from '#adapters/state/identity.ts';
import { upgradeState } from '#adapters/state/state-version.ts';
import { openTokens } from '#adapters/state/tokens.ts';
import { connectRedis, isReachable } from '#adapters/store/redis.ts';
import { createEventStore } from '#adapters/store/event-store.ts';
import { createRunKeeping } from '#adapters/store/run-keeping.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { createSharedState } from '#adapters/store/shared-state.ts';
import { troubleListener } from '#adapters/store/trouble.ts';
import { readStream } from '#adapters/store/stream.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import { ownerKey } from '#core/owner.ts';
import type { Identity } from '#core/ports.ts';
import { createByHandActions } from './by-hand/by-hand.ts';
import { openByHandStore } from './by-hand/store.ts';
import { checkNotSuspended } from './by-hand/suspension.ts';
import { createApp } from './app.ts';
import type { Tls } from './app.ts';
import { openClusterRegistry } from './cluster-registry.ts';
import { openConfigSource } from './config-source.ts';
import { writeHooks } from './git/hook-files.ts';
import { createHookChannels } from './git/hook-channels.ts';
import { createPushHandler } from './git/receive-push.ts';
import { createRepositories } from './git/repositories.ts';
import { readKeep } from './keep.ts';
import { lastConfig } from './last-config.ts';
import { createDirectAnswers } from './direct-answers.ts';
import { createInbox } from './inbox.ts';
import { createKnownPipelines } from './known-pipelines.ts';
import { createOrchestrator } from './orchestrator.ts';
import { createMetrics } from './metrics/metrics.ts';
import { openNotifier } from './notify/notifier.ts';
import { createLookout } from './notify/lookout.ts';
import { createRemotePolls } from './remote-polls.ts';
import { queueBoard } from './routes/queue-board.ts';
import { createReleases } from './releases/releases.ts';
import { collectRuns } from './runs/collect-runs.ts';
import { createRunArchive } from './runs/run-archive.ts';
import { lockState } from './state/lock.ts';

const SWEEP_MS = 60_000;
/** What waits for a Redis that is away would wait for ever: a server that stops gives each part this long. */
const PATIENCE_MS = 5_000;
const NOTIFY_MS = 2_000;
const PACK_MS = 3_600_000;
/** How often it is looked whether clusters that are declared no longer are empty. */
const FORGET_MS = 10_000;
/** How soon tokens count that were reset. */
const TOKENS_MS = 1_000;
const COLLECT_MS = 3_600_000;
const REDIS_START_MS = 30_000;
const MAX_PACK_BYTES = 512 * 1_024 * 1_024;

export interface ServerOptions {
  stateDir: string;
  /** `host:port`; port 0 is any free one. */
  listen: string;
  redisUrl: string;
  /** A folder with `pipelines/*.yaml`, a git URL, or `/git/config.git`. */
  config: string;
  tls?: Tls;
  behindProxy?: boolean;
  maxPackBytes?: number;
  /** Where secrets that declarations name are looked up, and where git finds its programs. */
  environment: Readonly<Record<string, string | undefined>>;
  log: Logger;
}

export interface RunningServer {
  url: string;
  adminToken: string;
  workerToken: string;
  identity: Identity;
  close(): Promise<void>;
}

/** Starts the one server of a state folder. What was begun before it closes again if the start fails. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const address = checkListen(options);
  const closers: (() => Promise<unknown>)[] = [];
  async function close(): Promise<void> {
    for (const each of closers.splice(0).toReversed())
      await Promise.race([each(), sleep(PATIENCE_MS, undefined, { ref: false })]);
  }
  try {
    const started = await start(options, address, closers);
    return { ...started, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: ServerOptions,
  address: { host: string; port: number },
  closers: (() => Promise<unknown>)[],
): Promise<Omit<RunningServer, 'close'>> {
  const { environment: machine, log } = options;
  const stateDir = resolve(options.stateDir);
  const gitRoot = join(stateDir, 'git');
  await mkdir(gitRoot, { recursive: true, mode: 0o700 });
  const lock = await lockState(join(stateDir, 'server.lock'));
  closers.push(() => lock.release());
  await upgradeState(stateDir, (from, to) =>
    log.info({ state: stateDir, from, to }, 'the state folder was upgraded'),
  );
  const tokens = await openTokens(stateDir);
  const identity = await makeIdentity(stateDir);
  const onTrouble = troubleListener(log, Date.now);
  const redis = connectRedis(options.redisUrl, onTrouble);
  closers.push(async () => redis.disconnect());
  await waitForRedis(() => isReachable(redis), options.redisUrl);

  const stopped = new AbortController();
  const { signal } = stopped;
  const runs = createRunStore(redis);
  const kept = { ...runs, ...createRunKeeping(redis) };
  const archive = createRunArchive({ folder: join(stateDir, 'runs'), runs: kept, log });
  await archive.restore();
  const shared = createSharedState(redis);
  const queue = createJobQueue(redis, onTrouble);
  closers.push(() => queue.close());
  const repositories = createRepositories(gitRoot, machine);
  const config = await openConfigSource(
    {
      config: options.config,
      gitRoot,
      machine,
      last: lastConfig(await shared.declarations(), await repositories.pipelines()),
      now: Date.now,
      log,
    },
    signal,
  );
  const store = await openByHandStore(join(stateDir, 'by-hand.json'));
  const pipelines = createKnownPipelines(config, repositories, {
    shared,
    registry: await openClusterRegistry(join(stateDir, 'clusters.json')),
    byHand: store,
    now: Date.now,
  });
  const releases = createReleases({
    root: join(gitRoot, 'releases'),
    machine,
    sealer: await openSealer(join(stateDir, 'age.key')),
    run: (id) => runs.get(id),
    entriesOn: (cluster) => pipelines.entriesOn(cluster),
    authorOf: (pipeline, commit) => repositories.authorOf(pipeline, commit),
    checkMayRelease: (pipeline, entry) => checkNotSuspended(store, pipeline, entry),
  });
  const byHand = createByHandActions({
    store,
    shared,
    pipelines,
    repositories,
    releases,
    now: Date.now,
  });
  const orchestrator = createOrchestrator({
    runs,
    queue,
    releases,
    repositories,
    pipelines,
    now: Date.now,
    log,
  });

  const inbox = createInbox({ runs, orchestrator, now: Date.now, log });

  const readSecret = createSecretReader(machine);
  const remotes = createRemotePolls({
    declared: () => config.declarations().pipelines,
    async readHeads({ url = '', branches, credentials }, until) {
      const read = await readCredentials(credentials, readSecret);
      const request = { url, branches, ...(read === undefined ? {} : { credentials: read }) };
      return readRemoteHeads(request, { folder: gitRoot, machine }, until);
    },
    runs,
    orchestrator,
    now: Date.now,
    log,
  });

  const metrics = createMetrics({
    runs,
    queue,
    shared,
    clusters: () => Object.keys(pipelines.allClusters()),
    now: Date.now,
  });
  const lookout = createLookout({
    runs,
    shared,
    clusters: () => Object.keys(pipelines.allClusters()),
    async ownersOn(cluster) {
      return (await pipelines.all()).flatMap(({ pipeline: { metadata, spec } }) =>
        spec.deploy
          .filter((deploy) => deploy.cluster === cluster)
          .map((deploy) => ownerKey(metadata.name, entryName(deploy))),
      );
    },
    isSuspended: (owner) => store.all()[owner]?.suspended !== undefined,
    now: Date.now,
  });
  const notifier = await openNotifier({
    file: join(stateDir, 'notifications.json'),
    see: () => lookout.see(),
    async receivers() {
      const all = (await pipelines.all()).map(({ pipeline: { metadata, spec } }) => {
        return [metadata.name, spec.notify] as const;
      });
      return new Map(all.filter(([, notify]) => notify.length > 0));
    },
    readSecret,
    now: Date.now,
    log,
  });

  async function refreshConfig(untilAborted: AbortSignal): Promise<void> {
    if (!(await config.refresh(untilAborted))) return;
    await pipelines.publish();
    log.info(config.view(), 'the configuration is in force');
  }

  const hooks = join(stateDir, 'hooks');
  await writeHooks(hooks);
  const handlePush = createPushHandler({
    repositories,
    pipelines,
    config,
    refreshConfig,
    orchestrator,
    runs,
    archive,
  });
  const channels = createHookChannels(handlePush, log);
  const app = await createApp({
    runs,
    archive,
    shared,
    events: createEventStore(redis),
    queue,
    releases,
    identity,
    answers: createDirectAnswers(),
    keptImages: async (until) => {
      const keepOf = await readKeep(pipelines);
      return releases.keptImages((pipeline) => keepOf(pipeline).releases, until);
    },
    byHand,
    pipelines,
    config,
    orchestrator,
    inbox,
    tokens,
    readSecret,
    remotes,
    readStream: (id, handlers, until) =>
      readStream(redis, id, handlers, AbortSignal.any([until, signal])),
    metrics,
    readiness: async () => ({
      redis: await isReachable(redis),
      git: await isWritable(gitRoot),
    }),
    git: {
      root: gitRoot,
      repositories,
      machine,
      hooks,
      channels,
      maxPackBytes: options.maxPackBytes ?? MAX_PACK_BYTES,
    },
    log,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    behindProxy: options.behindProxy ?? false,
  });
  await pipelines.publish();
  await app.register(queueBoard, {
    tokens,
    redis,
    onTrouble,
    clusters: () => Object.keys(config.declarations().clusters),
  });
  // It would say http also where TLS is spoken; who started the server tells where it listens.
  await app.listen({ ...address, listenTextResolver: () => 'requests are taken' });
  closers.push(async () => {
    // First the hooks, so that whoever waits for a push hears that the server stops.
    channels.close();
    await app.close();
  });
  const url = urlOf(options, address.host, app.server.address() as AddressInfo);
  await lock.tell(url);
  const background = Promise.all([
    orchestrator.watch(signal),
    inbox.run(signal),
    archive.watch(signal),
    every(SWEEP_MS, () => archive.sweep(), signal, log),
    every(config.pollMs, () => refreshConfig(signal), signal, log),
    every(SWEEP_MS, () => orchestrator.sweep(), signal, log),
    remotes.run(signal),
    lookout.watch(signal),
    metrics.watch(signal),
    every(NOTIFY_MS, () => notifier.tick(signal), signal, log),
    every(PACK_MS, () => packAll(gitRoot, machine, signal), signal, log),
    every(
      COLLECT_MS,
      () => collectRuns({ runs: kept, archive, pipelines, now: Date.now, log }),
      signal,
      log,
    ),
    every(TOKENS_MS, () => tokens.refresh(), signal, log),
    every(FORGET_MS, () => pipelines.forgetEmpty(), signal, log),
  ]);
  closers.push(async () => {
    stopped.abort(new Error('the server stops'));
    await background;
  });
  return { url, adminToken: tokens.admin, workerToken: tokens.worker, identity };
}

/** At once and then again and again, one at a time; a failure is logged and tried again. */
async function every(
  pauseMs: number,
  work: () => Promise<void>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, 'work in the background failed; trying again');
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Those that are pushed, and those of releases. */
async function packAll(
  gitRoot: string,
  machine: ServerOptions['environment'],
  signal: AbortSignal,
): Promise<void> {
  for (const folder of [gitRoot, join(gitRoot, 'releases')]) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((each) => each.endsWith('.git')))
      await packRepository(join(folder, name), machine, signal);
  }
}

async function waitForRedis(answers: () => Promise<boolean>, url: string): Promise<void> {
  const deadline = Date.now() + REDIS_START_MS;
  while (!(await answers())) {
    if (Date.now() > deadline) {
      throw new UserError('unavailable', `Redis does not answer at ${hidden(url)}`, {
        hint: 'start it, or name another one with REDIS_URL',
      });
    }
    await sleep(200);
  }
}

async function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
}

function hidden(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}

function checkListen({ listen, tls, behindProxy }: ServerOptions): { host: string; port: number } {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(listen.slice(colon + 1));
  if (host === '' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UserError('invalid-input', `${listen} is not host:port`, {
      hint: 'for example 127.0.0.1:4380',
    });
  }
  const isPrivate =
    host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
  if (isPrivate || tls !== undefined || behindProxy === true) return { host, port };
  throw new UserError('invalid-input', `listening on ${listen} would send tokens in clear`, {
    hint: 'set WINDLASS_TLS_CERT and WINDLASS_TLS_KEY, or WINDLASS_BEHIND_PROXY=1 behind a proxy with TLS',
  });
}

function urlOf({ tls }: ServerOptions, host: string, { port }: AddressInfo): string {
  const name = isIPv6(host) ? `[${host}]` : host;
  return `${tls === undefined ? 'http' : 'https'}://${name}:${port}`;
}
