import { acceptResources } from '#core/docker/accepts.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import type { Problem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';

/** What the docker engine would refuse in these manifests, which are released together. */
export function checkManifests(files: readonly SourceFile[]): Problem[] {
  const parsed = parseManifests(files);
  return [...parsed.problems, ...acceptResources(parsed)];
}
