import { renderSource } from '#adapters/render/render-source.ts';
import type { RenderPlace } from '#adapters/render/render-source.ts';
import { acceptFor } from '#core/accept.ts';
import type { EngineName } from '#core/accept.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { Deploy } from '#core/declarations/pipeline.ts';
import { InvalidFiles, UserError } from '#core/errors.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { Run } from '#core/run/run.ts';
import { manifestSource } from '#core/sources/manifest-source.ts';
import { parseSource } from '#core/sources/parse-source.ts';
import type { BuildContext, Source } from './context.ts';
import { readManifestFiles } from './manifest-files.ts';

/** What a deploy entry asks for, checked, its images as written. */
export interface EntryManifests {
  entry: string;
  resources: readonly Resource[];
  /** What somebody should know of how they were rendered. */
  notes: readonly string[];
}

/** Reads and checks the manifests of every deploy entry, before time is spent on building. */
export async function readManifests(
  run: Run,
  source: Source,
  { engineOf, settings: { programs } }: Pick<BuildContext, 'engineOf' | 'settings'>,
  signal: AbortSignal,
): Promise<EntryManifests[]> {
  const place = { checkout: source.checkout, pipeline: run.pipeline, path: programs };
  const images = run.spec.images.map(({ name }) => name);
  const entries: EntryManifests[] = [];
  // One after the other: what renders them may need much of the machine.
  for (const deploy of run.spec.deploy) {
    const engine = await engineOf(deploy.cluster);
    entries.push(await readEntry(deploy, { engine, images, place }, signal));
  }
  return entries;
}

interface Reading {
  engine: EngineName;
  /** What the pipeline builds. */
  images: readonly string[];
  place: RenderPlace;
}

async function readEntry(
  deploy: Deploy,
  { engine, images, place }: Reading,
  signal: AbortSignal,
): Promise<EntryManifests> {
  const source = manifestSource(deploy);
  const { files, notes } =
    source.kind === 'plain'
      ? { files: await readManifestFiles(place.checkout, source.path), notes: [] }
      : await renderSource(source, place, signal);
  const parsed = parseSource(files, { images, namespace: deploy.helm?.namespace });
  const problems = [...parsed.problems, ...acceptFor(engine, parsed)];
  if (problems.length > 0) throw new InvalidFiles(problems);
  if (parsed.resources.length > 0 || deploy.allowEmpty)
    return { entry: entryName(deploy), resources: parsed.resources, notes };
  throw new UserError('invalid-input', `there are no manifests in ${source.path}`, {
    hint: 'nothing at all would delete everything; say allowEmpty: true if that is meant',
  });
}
