import { ReleaseList } from '#core/api/release.ts';
import { UserError } from '#core/errors.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';

/** The whole commit of the one release whose commit begins so. Looks at the newest 500. */
export async function findRelease(
  client: ApiClient,
  wanted: { pipeline: string; entry: string; reference: string },
): Promise<string> {
  const { pipeline, entry, reference } = wanted;
  if (/^[0-9a-f]{40}$/.test(reference)) return reference;
  const path = apiPath(['releases', pipeline, entry], { limit: '500' });
  const { releases } = await client.get(path, ReleaseList);
  const found = releases.filter(({ commit }) => commit.startsWith(reference));
  const [only, ...others] = found;
  const hint = `see \`windlass releases ${pipeline} ${entry}\``;
  if (only === undefined) {
    throw new UserError('not-found', `${pipeline}/${entry} has no release ${reference}`, { hint });
  }
  if (others.length === 0) return only.commit;
  throw new UserError('invalid-input', `several releases begin with ${reference}`, { hint });
}
