import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { Logger } from 'pino';
import { listImages, pruneBuildCache, removeImage } from '#adapters/docker/image-store.ts';
import type { Mirrors } from '#adapters/git/mirror.ts';
import type { RegistryClient } from '#adapters/registry/registry-client.ts';
import {
  BUILD_CACHE_BYTES,
  planCheckoutCollection,
  planImageCollection,
  planMirrorCollection,
  planRegistryCollection,
} from '#core/collect.ts';
import type { Kept, KeptFolder, RegistryImage } from '#core/collect.ts';
import { keptImages } from '#core/kept-images.ts';
import type { RegistryGate, RunStore, ServerApi } from '#core/ports.ts';
import type { Run } from '#core/run/run.ts';
import type { BuildSettings } from './context.ts';
import { IMAGE_LABELS } from './image-labels.ts';

/** Enough to find the commits and releases whose images are kept. */
const RUNS_LOOKED_AT = 500;
/** New pushes wait while those under way are waited for. */
const PUSHES_PATIENCE_MS = 20_000;
/** Also without a deletion: what a push that was cut off has left. */
const FREE_AGAIN_MS = 24 * 3_600_000;

type ToDelete = Pick<RegistryImage, 'repository' | 'digest'>;

/** What one process remembers from one collection of the registry to the next. */
interface CollectMemory {
  /** References that are deleted, which runs still name. */
  gone: Set<string>;
  /** The registry allows no deletion. */
  isRefused: boolean;
  /** When what was deleted was freed last. */
  freedAt: number;
}

export interface CollectContext {
  docker: Docker;
  runs: RunStore;
  server: Pick<ServerApi, 'keptImages'>;
  gate: RegistryGate;
  /** Frees in the registry what is deleted, which takes it away for a moment; absent where that is not ours to do. */
  free?: (signal: AbortSignal) => Promise<void>;
  memory: CollectMemory;
  mirrors: Mirrors;
  registry: RegistryClient;
  settings: Pick<BuildSettings, 'installation' | 'registry' | 'checkouts'> & { mirrors: string };
  now: () => number;
  log: Logger;
}

/** Frees the disk of what builds left behind, by the rules of core/collect.ts. */
export async function collectLocally(context: CollectContext, signal: AbortSignal): Promise<void> {
  await collectFolders(context, signal);
  await collectImages(context, signal);
  const bytes = await pruneBuildCache(context.docker, BUILD_CACHE_BYTES, signal);
  if (bytes > 0) context.log.info({ bytes }, 'build cache freed');
}

/**
 * Deletes manifests nobody may need again from the configured registry, and frees what they held where that is ours to
 * do; other registries are not ours to clean. False where pushes have kept it from its work.
 */
export async function collectRegistry(
  context: CollectContext,
  signal: AbortSignal,
): Promise<boolean> {
  const { gate, free, now } = context;
  const isFreeingDue = free !== undefined && now() - context.memory.freedAt > FREE_AGAIN_MS;
  if (context.memory.isRefused) return true;
  if ((await planRegistry(context, signal)).length === 0 && !isFreeingDue) return true;
  return gate.collect(
    async (alone) => {
      // Planned again: of what is pushed meanwhile some may be what was to go.
      const goes = await planRegistry(context, alone);
      for (const image of goes) await deleteImage(image, context, alone);
      if (free === undefined || (goes.length === 0 && !isFreeingDue)) return;
      await free(alone);
      context.memory.freedAt = now();
    },
    PUSHES_PATIENCE_MS,
    signal,
  );
}

async function deleteImage(
  { repository, digest }: ToDelete,
  { registry, memory, log }: CollectContext,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (memory.isRefused) return;
  memory.isRefused = !(await registry.deleteManifest(repository, digest, signal));
  if (memory.isRefused) {
    log.warn({ repository }, 'the registry lets nobody delete: its images are left to others');
    return;
  }
  memory.gone.add(`${repository}@${digest}`);
  log.info({ repository, digest }, 'image left the registry');
}

async function planRegistry(context: CollectContext, signal: AbortSignal): Promise<ToDelete[]> {
  const { runs, server, settings } = context;
  const recent = await runs.list({ limit: RUNS_LOOKED_AT });
  const ours = `${settings.registry}/`;
  const named = (await server.keptImages(signal)).filter((reference) => reference.startsWith(ours));
  const { runsOf, released } = await readUse(
    [
      ...recent.map((run) => run.pipeline),
      ...named.map((reference) => reference.slice(ours.length).split('/')[0] ?? ''),
    ],
    context,
    signal,
  );
  const goes: ToDelete[] = [];
  for (const [pipeline, all] of runsOf) {
    const images = await registryImages(pipeline, all, released, context, signal);
    goes.push(...planRegistryCollection(images, keptOf(all, released, context)));
  }
  return goes;
}

/** The runs of pipelines, and then what releases name: what a run has released that has ended since is among that. */
async function readUse(
  pipelines: Iterable<string>,
  { runs, server }: CollectContext,
  signal: AbortSignal,
): Promise<{ runsOf: Map<string, Run[]>; released: string[] }> {
  const runsOf = new Map<string, Run[]>();
  for (const pipeline of new Set(pipelines))
    runsOf.set(pipeline, await runs.list({ pipeline, limit: RUNS_LOOKED_AT }));
  return { runsOf, released: await server.keptImages(signal) };
}

async function collectFolders(
  { runs, mirrors, settings, now }: CollectContext,
  signal: AbortSignal,
): Promise<void> {
  const unfinished = new Set((await runs.unfinished()).map((run) => run.id));
  const checkouts = await foldersIn(settings.checkouts);
  for (const name of planCheckoutCollection(checkouts, unfinished, now()))
    await rm(join(settings.checkouts, name), { recursive: true, force: true });
  for (const name of planMirrorCollection(await foldersIn(settings.mirrors), now()))
    await mirrors.remove(name, signal);
  await mirrors.maintain(signal);
}

async function collectImages(context: CollectContext, signal: AbortSignal): Promise<void> {
  const { docker, settings, now, log } = context;
  const label = { name: IMAGE_LABELS.installation, value: settings.installation };
  const found = await listImages(docker, label, IMAGE_LABELS.pipeline, signal);
  const byPipeline = Map.groupBy(found, ({ group }) => group);
  const { runsOf, released } = await readUse(byPipeline.keys(), context, signal);
  for (const [pipeline, images] of byPipeline) {
    const kept = keptOf(runsOf.get(pipeline) ?? [], released, context);
    const goes = planImageCollection(
      images.map(({ image }) => image),
      kept,
      now(),
    );
    for (const image of goes) {
      const removed = await removeImage(docker, image, signal);
      log.info({ image, removed }, 'image collected');
    }
  }
}

/** Every tag of the pipeline's repositories, and what its runs have pushed there. */
async function registryImages(
  pipeline: string,
  runs: readonly Run[],
  released: readonly string[],
  { registry, settings, memory }: CollectContext,
  signal: AbortSignal,
): Promise<RegistryImage[]> {
  const ours = `${settings.registry}/${pipeline}/`;
  const pushed = runs.flatMap((run) => Object.values(run.images));
  const untagged = [...new Set([...pushed, ...released])]
    .filter((reference) => reference.startsWith(ours) && !memory.gone.has(reference))
    .map(takeApart);
  const found: RegistryImage[] = [];
  for (const repository of new Set(untagged.map((image) => image.repository))) {
    for (const tag of await registry.tags(repository, signal)) {
      const digest = await registry.digest(repository, tag, signal);
      if (digest !== undefined) found.push({ repository, tag, digest });
    }
  }
  return [...found, ...untagged];
}

function takeApart(reference: string): ToDelete {
  const [repository = '', digest = ''] = reference.split('@');
  return { repository, digest };
}

function keptOf(
  runs: readonly Run[],
  released: readonly string[],
  { settings }: CollectContext,
): Kept {
  return keptImages(runs, released, (pipeline, name) => `${settings.registry}/${pipeline}/${name}`);
}

async function foldersIn(folder: string): Promise<KeptFolder[]> {
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names.map(async (name) => ({ name, usedAt: (await stat(join(folder, name))).mtimeMs })),
  );
}
