import { checkReferences } from '#core/declarations/check-references.ts';
import { checkParts, checkUniqueNames } from '#core/declarations/check-parts.ts';
import type { Declarations } from '#core/declarations/declarations.ts';
import { readDeclared } from '#core/declarations/read.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import type { Problem } from '#core/errors.ts';

/**
 * Everything that the files declare, and every problem. Where files are looked at without the configuration they
 * belong to, pass `unknown` for the clusters: then references to them are not judged.
 */
export function parseDeclarations(
  files: readonly SourceFile[],
  clusters: 'declared' | 'unknown' = 'declared',
): { declarations: Declarations; problems: Problem[] } {
  const read = readDeclared(files);
  const declarations = {
    pipelines: Object.fromEntries(read.pipelines.map(({ value }) => [value.metadata.name, value])),
    clusters: Object.fromEntries(read.clusters.map(({ value }) => [value.metadata.name, value])),
  };
  const judged = clusters === 'declared' && !read.mayLackClusters;
  const problems = [
    ...read.problems,
    ...checkUniqueNames(read.pipelines),
    ...checkUniqueNames(read.clusters),
    ...read.pipelines.flatMap(checkParts),
    ...(judged
      ? read.pipelines.flatMap((each) => checkReferences(each, Object.keys(declarations.clusters)))
      : []),
  ];
  return { declarations, problems: inFileOrder(problems, files) };
}

function inFileOrder(problems: readonly Problem[], files: readonly SourceFile[]): Problem[] {
  const order = new Map(files.map(({ path }, index) => [path, index]));
  return problems.toSorted(
    (one, other) =>
      (order.get(one.file) ?? 0) - (order.get(other.file) ?? 0) ||
      one.line - other.line ||
      one.column - other.column,
  );
}
