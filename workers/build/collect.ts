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
import type { Kept, KeptFolder, RegistryTag } from '#core/collect.ts';
import { keptImages } from '#core/kept-images.ts';
import type { RunStore } from '#core/ports.ts';
import type { Run } from '#core/run/run.ts';
import type { BuildSettings } from './context.ts';
import { IMAGE_LABELS } from './image-labels.ts';
import { repositoryOf } from './repository.ts';

/** Enough to find the commits and releases whose images are kept. */
const RUNS_LOOKED_AT = 500;

export interface CollectContext {
  docker: Docker;
  runs: RunStore;
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

/** Deletes manifests nobody may need again from the configured registry; others are not ours to clean. */
export async function collectRegistry(context: CollectContext, signal: AbortSignal): Promise<void> {
  const { runs, registry, log } = context;
  const recent = await runs.list({ limit: RUNS_LOOKED_AT });
  for (const pipeline of new Set(recent.map((run) => run.pipeline))) {
    const all = await runs.list({ pipeline, limit: RUNS_LOOKED_AT });
    const tags = await registryTags(all, context, signal);
    for (const { repository, digest } of planRegistryCollection(tags, keptOf(all, context))) {
      const deleted = await registry.deleteManifest(repository, digest, signal);
      log.info({ repository, digest, deleted }, 'image left the registry');
      if (!deleted) return;
    }
  }
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
  const { docker, runs, settings, now, log } = context;
  const label = { name: IMAGE_LABELS.installation, value: settings.installation };
  const found = await listImages(docker, label, IMAGE_LABELS.pipeline, signal);
  const byPipeline = Map.groupBy(found, ({ group }) => group);
  for (const [pipeline, images] of byPipeline) {
    const kept = keptOf(await runs.list({ pipeline, limit: RUNS_LOOKED_AT }), context);
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

async function registryTags(
  runs: readonly Run[],
  { registry, settings }: CollectContext,
  signal: AbortSignal,
): Promise<RegistryTag[]> {
  const ours = runs.flatMap((run) =>
    run.spec.images
      .filter((image) => image.repository === undefined)
      .map((image) => repositoryOf(run, image, settings)),
  );
  const found: RegistryTag[] = [];
  for (const repository of new Set(ours)) {
    for (const tag of await registry.tags(repository, signal)) {
      const digest = await registry.digest(repository, tag, signal);
      if (digest !== undefined) found.push({ repository, tag, digest });
    }
  }
  return found;
}

function keptOf(runs: readonly Run[], { settings }: CollectContext): Kept {
  return keptImages(runs, (pipeline, name) => `${settings.registry}/${pipeline}/${name}`);
}

async function foldersIn(folder: string): Promise<KeptFolder[]> {
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names.map(async (name) => ({ name, usedAt: (await stat(join(folder, name))).mtimeMs })),
  );
}
