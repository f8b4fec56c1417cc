import type { SourceFile } from '#core/declarations/read.ts';
import type { Problem } from '#core/errors.ts';
import { parseYamlDocuments } from '#core/yaml-source.ts';

/** What the docker engine would refuse in these manifests. */
export function checkManifests(files: readonly SourceFile[]): Problem[] {
  return files.flatMap(({ path, text }) => parseYamlDocuments(path, text).problems);
}
