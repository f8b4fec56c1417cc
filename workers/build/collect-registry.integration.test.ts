import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DOCKER_REGISTRY, findTool } from '#adapters/debian/tool.ts';
import { putFiles } from '#adapters/docker/archive.ts';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { createImageEngine } from '#adapters/docker/image-engine.ts';
import { removeImage } from '#adapters/docker/image-store.ts';
import { pullImage } from '#adapters/docker/pull.ts';
import { tagImage } from '#adapters/docker/push.ts';
import { createMirrors } from '#adapters/git/mirror.ts';
import { startRegistry } from '#adapters/processes/registry.ts';
import type { RegistryProcess } from '#adapters/processes/registry.ts';
import { createRegistryClient } from '#adapters/registry/registry-client.ts';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRegistryGate } from '#adapters/store/registry-gate.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { COMMITS_KEPT } from '#core/collect.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { RegistryGate, RunStore } from '#core/ports.ts';
import { newRun } from '#core/run/new-run.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { collectRegistry } from './collect.ts';
import type { CollectContext } from './collect.ts';

const docker = connectDocker('unix:///var/run/docker.sock');
const engine = createImageEngine(docker, noCredentials);
const log = pino({ level: 'silent' });
const signal = AbortSignal.timeout(280_000);
const PIPELINES = ['one', 'two', 'three'];
const ROUNDS = COMMITS_KEPT + 3;

let folder = '';
let server: Running & { url: string };
let redis: Redis;
let runs: RunStore;
let gate: RegistryGate;
let registry: RegistryProcess;
const made: string[] = [];

interface Pushed {
  reference: string;
  /** Digests of what only this image has. */
  own: string[];
}

function noCredentials(): Promise<undefined> {
  return Promise.resolve(undefined);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-collect-'));
  server = await startRedis(join(folder, 'redis'));
  redis = connectRedis(server.url);
  runs = createRunStore(redis);
  gate = createRegistryGate(redis);
  const search = { tools: join(tmpdir(), 'windlass-test-tools'), path: process.env['PATH'] ?? '' };
  const tool = await findTool(DOCKER_REGISTRY, search, signal);
  const options = { folder: join(folder, 'registry'), tool, log, firstPort: 5780 };
  registry = await startRegistry(options, signal);
});
afterAll(async () => {
  for (const image of made) await removeImage(docker, image, AbortSignal.timeout(30_000));
  await registry.stop();
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A file upon busybox, so that images share a layer. */
async function makeImage(content: string, name: string): Promise<void> {
  const { Id } = await callDocker<{ Id: string }>(docker, {
    method: 'POST',
    path: '/containers/create',
    body: { Image: 'busybox:1.36' },
    signal,
  });
  await putFiles(docker, Id, [{ kind: 'file', path: 'content', content, mode: 0o644 }], signal);
  const image = await callDocker<{ Id: string }>(docker, {
    method: 'POST',
    path: '/commit',
    query: { container: Id },
    signal,
  });
  await callDocker(docker, { method: 'DELETE', path: `/containers/${Id}`, signal });
  await tagImage(docker, image.Id, { repository: 'collected', tag: name }, signal);
  made.push(`collected:${name}`);
}

async function describePushed(repository: string, digest: string): Promise<Pushed> {
  const name = repository.slice(registry.host.length + 1);
  const answer = await fetch(`http://${registry.host}/v2/${name}/manifests/${digest}`, {
    headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    signal,
  });
  const { config, layers } = (await answer.json()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  const last = layers.at(-1);
  return {
    reference: `${repository}@${digest}`,
    own: [digest, config.digest, ...(last === undefined ? [] : [last.digest])],
  };
}

/** What a build does: a run that pushes an image under its commit, and names it. */
async function pushAsRun(pipeline: string, image: string): Promise<Pushed> {
  const commit = randomBytes(20).toString('hex');
  const repository = `${registry.host}/${pipeline}/web`;
  await tagImage(docker, image, { repository, tag: commit }, signal);
  made.push(`${repository}:${commit}`);
  const spec = PipelineSpec.parse({ images: [{ name: 'web' }] });
  const trigger = { kind: 'push', ref: 'refs/heads/main', after: commit, who: 'ann' } as const;
  const run = newRun({ id: randomUUID(), pipeline, spec, trigger, at: Date.now() });
  await runs.record([{ runs: [run] }]);
  await runs.apply(run.id, { kind: 'started', at: Date.now() });
  const pushed = await gate.push(
    async () => {
      const digest = await engine.push({ repository, tag: commit }, () => undefined, signal);
      const reference = `${repository}@${digest}`;
      await runs.apply(run.id, { kind: 'image', image: 'web', reference, at: Date.now() });
      return describePushed(repository, digest);
    },
    () => undefined,
    signal,
  );
  await runs.apply(run.id, { kind: 'failed', reason: 'enough', at: Date.now() });
  return pushed;
}

/** As somebody does who knows of no gate: again where the registry is away. */
async function pushByHand(image: string, tag: string): Promise<string> {
  const repository = `${registry.host}/three/web`;
  await tagImage(docker, image, { repository, tag }, signal);
  made.push(`${repository}:${tag}`);
  for (;;) {
    signal.throwIfAborted();
    try {
      return `${repository}@${await engine.push({ repository, tag }, () => undefined, signal)}`;
    } catch {
      await sleep(100, undefined, { signal });
    }
  }
}

function blobOf(digest: string): string {
  const [, hex = ''] = digest.split(':');
  const blobs = join(folder, 'registry', 'data', 'docker/registry/v2/blobs/sha256');
  return join(blobs, hex.slice(0, 2), hex, 'data');
}

function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

it(
  'frees what is deleted while images are pushed, and loses none',
  { timeout: 300_000 },
  async () => {
    let freed = 0;
    const context: CollectContext = {
      docker,
      runs,
      server: { keptImages: () => Promise.resolve([]) },
      gate,
      free: async () => {
        await registry.free();
        freed += 1;
      },
      memory: { gone: new Set(), isRefused: false, freedAt: Date.now() },
      mirrors: createMirrors(join(folder, 'mirrors'), process.env),
      registry: createRegistryClient(noCredentials),
      settings: {
        installation: 'none',
        registry: registry.host,
        checkouts: join(folder, 'checkouts'),
        mirrors: join(folder, 'mirrors'),
      },
      now: Date.now,
      log,
    };

    async function pushMany(pipeline: string): Promise<Pushed[]> {
      const pushed: Pushed[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const name = `${pipeline}-${round}`;
        await makeImage(`${name} ${randomUUID()}`, name);
        pushed.push(await pushAsRun(pipeline, `collected:${name}`));
      }
      return pushed;
    }
    async function pushManyByHand(): Promise<string[]> {
      const pushed: string[] = [];
      for (let round = 0; round < 6; round += 1) {
        await makeImage(`by hand ${randomUUID()}`, `hand-${round}`);
        pushed.push(await pushByHand(`collected:hand-${round}`, `hand-${round}`));
      }
      return pushed;
    }

    let isOver = false;
    async function collectAgainAndAgain(): Promise<void> {
      while (!isOver)
        await collectRegistry({ ...context, memory: { ...context.memory, freedAt: 0 } }, signal);
    }
    const collecting = collectAgainAndAgain();
    const [byHand, ...byRun] = await Promise.all([pushManyByHand(), ...PIPELINES.map(pushMany)]);
    isOver = true;
    await collecting;
    expect(freed).toBeGreaterThan(2);
    expect(await collectRegistry(context, signal)).toBe(true);

    // What was collected comes back whole: nothing may say that its layers are there still.
    const again = await pushAsRun('one', 'collected:one-0');
    const kept = [
      ...byHand,
      again.reference,
      ...byRun.flatMap((pushed) => pushed.slice(-COMMITS_KEPT).map(({ reference }) => reference)),
    ];
    const gone = byRun.flatMap((pushed) => pushed.slice(0, -COMMITS_KEPT)).slice(1);
    for (const image of made.splice(0)) await removeImage(docker, image, signal);
    for (const reference of kept) {
      await pullImage(docker, reference, undefined, signal);
      made.push(reference);
    }
    const left = await Promise.all(
      gone
        .flatMap(({ own }) => own)
        .map(blobOf)
        .map(isThere),
    );
    expect(left).toHaveLength(gone.length * 3);
    expect(left.filter(Boolean)).toEqual([]);
  },
);
