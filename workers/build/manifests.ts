import { entryName } from '#core/declarations/pipeline.ts';
import type { Deploy } from '#core/declarations/pipeline.ts';
import { acceptResources } from '#core/docker/accepts.ts';
import { InvalidFiles, UserError } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { Run } from '#core/run/run.ts';
import type { Source } from './context.ts';
import { readManifestFiles } from './manifest-files.ts';

/** What a deploy entry asks for, checked, its images as written. */
export interface EntryManifests {
  entry: string;
  resources: readonly Resource[];
}

/** Reads and checks the manifests of every deploy entry, before time is spent on building. */
export async function readManifests(run: Run, source: Source): Promise<EntryManifests[]> {
  return Promise.all(
    run.spec.deploy.map(async (deploy) => ({
      entry: entryName(deploy),
      resources: await readEntry(deploy, source),
    })),
  );
}

async function readEntry(deploy: Deploy, { checkout }: Source): Promise<readonly Resource[]> {
  const parsed = parseManifests(await readManifestFiles(checkout, deploy.manifests));
  const problems = [...parsed.problems, ...acceptResources(parsed)];
  if (problems.length > 0) throw new InvalidFiles(problems);
  if (parsed.resources.length > 0 || deploy.allowEmpty) return parsed.resources;
  throw new UserError('invalid-input', `there are no manifests in ${deploy.manifests}`, {
    hint: 'nothing at all would delete everything; say allowEmpty: true if that is meant',
  });
}
