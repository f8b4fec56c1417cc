import { acceptFor } from '#core/accept.ts';
import type { EngineName } from '#core/accept.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import type { Problem } from '#core/errors.ts';
import { parseSource } from '#core/sources/parse-source.ts';
import type { SourceMeaning } from '#core/sources/parse-source.ts';

/** What the engine would refuse in these manifests, which are released together. */
export function checkManifests(
  files: readonly SourceFile[],
  engine: EngineName,
  meaning: SourceMeaning = { images: [] },
): Problem[] {
  const parsed = parseSource(files, meaning);
  return [...parsed.problems, ...acceptFor(engine, parsed)];
}
