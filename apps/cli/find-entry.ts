import { PipelineList } from '#core/api/pipeline.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import { suggestion } from '#core/suggest.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';

/** The deploy entry that was named, else the only one the pipeline has. */
export async function findEntry(
  client: ApiClient,
  pipeline: string,
  entry: string | undefined,
): Promise<string> {
  const { pipelines } = await client.get(apiPath(['pipelines']), PipelineList);
  const found = pipelines.find(({ name }) => name === pipeline);
  if (found === undefined)
    throw unknown(
      'pipeline',
      pipeline,
      pipelines.map(({ name }) => name),
    );
  const entries = found.spec.deploy.map(entryName);
  if (entry !== undefined) {
    if (entries.includes(entry)) return entry;
    throw unknown('deploy entry', entry, entries);
  }
  const [only, ...others] = entries;
  if (only !== undefined && others.length === 0) return only;
  throw new UserError('invalid-input', `${pipeline} has ${entries.length} deploy entries`, {
    hint: `name one: ${entries.join(', ')}`,
  });
}

function unknown(what: string, name: string, known: readonly string[]): UserError {
  return new UserError('not-found', `there is no ${what} ${name}`, {
    hint: suggestion(name, known) ?? `there are: ${known.join(', ') || 'none'}`,
  });
}
