import { checkReferences } from '#core/declarations/check-references.ts';
import { checkParts, checkUniqueNames } from '#core/declarations/check-parts.ts';
import type { Cluster } from '#core/declarations/cluster.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import { readDeclared } from '#core/declarations/read.ts';
import type { Declared, SourceFile } from '#core/declarations/read.ts';
import type { Problem } from '#core/errors.ts';
import { suggestion } from '#core/suggest.ts';
import { problemAt } from '#core/zod-problems.ts';

/**
 * The pipeline `name` that a pushed repository carries itself, in its `pipelines/*.yaml`; clusters are those of the
 * server's configuration. Absent without a problem where the repository declares nothing.
 *
 * A repository is untrusted: it may not name clusters' servers, nor a source whose credentials would be read from
 * the server's files or environment.
 */
export function parseRepositoryPipeline(
  files: readonly SourceFile[],
  name: string,
  clusters: Readonly<Record<string, Cluster>>,
): { pipeline?: Pipeline; problems: Problem[] } {
  const read = readDeclared(files);
  const mine = read.pipelines.filter(({ value }) => value.metadata.name === name);
  const problems = [
    ...read.problems,
    ...read.clusters.map(foreignCluster),
    ...checkUniqueNames(read.pipelines),
    ...mine.flatMap((each) => [
      ...foreignSource(each),
      ...foreignSecrets(each),
      ...checkParts(each),
      ...checkReferences(each, Object.keys(clusters)),
    ]),
  ];
  const [first] = mine;
  if (problems.length > 0) return { problems };
  if (first !== undefined) return { pipeline: first.value, problems: [] };
  return { problems: otherNames(read.pipelines, name) };
}

function foreignCluster(declared: Declared<Cluster>): Problem {
  const message =
    "a repository cannot declare a Cluster: it belongs into the server's configuration";
  return problemAt({ ...declared, path: ['kind'], message });
}

function foreignSource(declared: Declared<Pipeline>): Problem[] {
  const message =
    "is for pipelines in the server's configuration: this repository is its own source";
  return (['url', 'credentials', 'webhookSecret', 'pollSeconds'] as const)
    .filter((key) => declared.value.spec.source[key] !== undefined)
    .map((key) => problemAt({ ...declared, path: ['spec', 'source', key], message }));
}

/** A repository names no secrets of the server. */
function foreignSecrets(declared: Declared<Pipeline>): Problem[] {
  const message = "is for pipelines in the server's configuration: a repository names no secrets";
  return declared.value.spec.notify.flatMap((notify, index) =>
    (['urlFrom', 'secret'] as const)
      .filter((key) => notify[key] !== undefined)
      .map((key) => problemAt({ ...declared, path: ['spec', 'notify', index, key], message })),
  );
}

function otherNames(pipelines: readonly Declared<Pipeline>[], name: string): Problem[] {
  const [other] = pipelines;
  if (other === undefined) return [];
  const names = pipelines.map(({ value }) => value.metadata.name);
  const message = `the repository was pushed as ${name}, and it declares ${names.join(', ')} only`;
  const hint = suggestion(name, names) ?? `push to /git/${names[0]}.git, or change the name`;
  return [problemAt({ ...other, path: ['metadata', 'name'], message, hint })];
}
