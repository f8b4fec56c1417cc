import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineList } from '#core/api/pipeline.ts';
import type { PlanRequest } from '#core/api/plan.ts';
import type { Cluster } from '#core/declarations/cluster.ts';
import type { Declarations } from '#core/declarations/declarations.ts';
import { parseDeclarations } from '#core/declarations/parse.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { PipelineSpec } from '#core/declarations/pipeline.ts';
import { InvalidFiles, UserError } from '#core/errors.ts';
import { suggestion } from '#core/suggest.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';
import type { CliContext } from './context.ts';
import { readManifestFiles } from './read-folder.ts';
import { readSource } from './read-source.ts';

type PlanContext = Pick<CliContext, 'cwd' | 'machine' | 'signal' | 'note'>;

interface Wanted {
  pipeline: string | undefined;
  entry: string | undefined;
}

/** One request per deploy entry, with the manifests that are in the current folder now. */
export async function localPlanRequests(
  context: PlanContext,
  client: ApiClient,
  { pipeline, entry }: Wanted,
): Promise<PlanRequest[]> {
  const { name, spec } = await choosePipeline(context.cwd, client, pipeline);
  const entries = spec.deploy.filter((each) => entry === undefined || entryName(each) === entry);
  if (entries.length === 0) {
    const names = spec.deploy.map(entryName);
    throw entry === undefined
      ? new UserError('invalid-input', `${name} has no deploy entries: there is nothing to plan`)
      : notFound('deploy entry', entry, names);
  }
  return Promise.all(
    entries.map(async (each) => {
      const files = await readSource(context.cwd, name, each, context);
      return {
        pipeline: name,
        entry: entryName(each),
        cluster: each.cluster,
        ...(each.helm === undefined ? {} : { namespace: each.helm.namespace }),
        images: spec.images.map((image) => image.name),
        manifests: Object.fromEntries(files.map(({ path, text }) => [path, text])),
      };
    }),
  );
}

interface Chosen {
  name: string;
  spec: PipelineSpec;
}

/** What the folder declares comes before what the server knows: it is what a push would bring. */
async function choosePipeline(
  folder: string,
  client: ApiClient,
  wanted: string | undefined,
): Promise<Chosen> {
  const local = await localPipelines(folder);
  const [only, ...others] = local;
  if (wanted === undefined) {
    if (only !== undefined && others.length === 0) return only;
    const hint = `name one: windlass plan ${only?.name ?? '<pipeline>'}`;
    const count = local.length === 0 ? 'no pipeline' : 'several pipelines';
    throw new UserError('invalid-input', `this folder declares ${count}`, { hint });
  }
  const here = local.find(({ name }) => name === wanted);
  if (here !== undefined) return here;
  const { pipelines } = await client.get(apiPath(['pipelines']), PipelineList);
  const known = pipelines.find(({ name }) => name === wanted);
  if (known !== undefined) return known;
  throw notFound(
    'pipeline',
    wanted,
    [...local, ...pipelines].map(({ name }) => name),
  );
}

export async function localPipelines(folder: string): Promise<Chosen[]> {
  return Object.values((await localDeclarations(folder)).pipelines).map(({ metadata, spec }) => ({
    name: metadata.name,
    spec,
  }));
}

/** The clusters that the folder declares which have servers to keep. */
export async function localFleets(folder: string): Promise<Cluster[]> {
  const { clusters } = await localDeclarations(folder);
  return Object.values(clusters).filter(({ spec }) => spec.engine === 'swarm');
}

async function localDeclarations(folder: string): Promise<Declarations> {
  const there = await stat(join(folder, 'pipelines')).catch(() => undefined);
  if (there === undefined) return { pipelines: {}, clusters: {} };
  const files = await readManifestFiles(folder, 'pipelines');
  const { declarations, problems } = parseDeclarations(files, 'unknown');
  if (problems.length > 0) throw new InvalidFiles(problems);
  return declarations;
}

function notFound(what: string, name: string, known: readonly string[]): UserError {
  return new UserError('not-found', `there is no ${what} ${name}`, {
    hint: suggestion(name, known) ?? `there are: ${known.join(', ') || 'none'}`,
  });
}
