import type { Cluster } from '#core/declarations/cluster.ts';
import type { Declared } from '#core/declarations/read.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { Deploy, Pipeline } from '#core/declarations/pipeline.ts';
import type { Problem } from '#core/errors.ts';
import { formatFieldPath } from '#core/field-path.ts';
import type { FieldPath } from '#core/field-path.ts';
import { problemAt } from '#core/zod-problems.ts';

/** Each name that documents of one kind share, told at the later one with the place of the first. */
export function checkUniqueNames(declared: readonly Declared<Pipeline | Cluster>[]): Problem[] {
  const first = new Map<string, Declared>();
  return declared.flatMap((each) => {
    const { name } = each.value.metadata;
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, each);
      return [];
    }
    const { line, column } = earlier.document.locate(['metadata', 'name']);
    const message = `the ${each.value.kind} ${name} is declared already, in ${earlier.file}:${line}:${column}`;
    return [problemAt({ ...each, path: ['metadata', 'name'], message })];
  });
}

interface Named {
  name: string;
  path: FieldPath;
}

/** A pipeline's parts held against each other: names that must differ, and that there is something to do. */
export function checkParts(declared: Declared<Pipeline>): Problem[] {
  const { images, deploy } = declared.value.spec;
  const imageNames = images.map(({ name }, index) => ({
    name,
    path: ['spec', 'images', index, 'name'],
  }));
  const repositories = images.flatMap(({ repository }, index) =>
    repository === undefined
      ? []
      : [{ name: repository, path: ['spec', 'images', index, 'repository'] }],
  );
  const entries = deploy.map((entry, index) => ({
    name: entryName(entry),
    path: ['spec', 'deploy', index, entry.name === undefined ? 'cluster' : 'name'],
  }));
  if (images.length === 0 && deploy.length === 0) {
    const message = 'has neither images nor deploy: there is nothing to do';
    return [problemAt({ ...declared, path: ['spec'], message })];
  }
  return [
    ...repeated(declared, 'image name', imageNames),
    ...repeated(declared, 'repository', repositories),
    ...deploy.flatMap((entry, index) => checkSource(declared, entry, index)),
    ...repeated(declared, 'deploy entry', entries, 'give each entry a name of its own'),
  ];
}

const SOURCES = ['manifests', 'kustomize', 'helm'] as const;

function checkSource(declared: Declared<Pipeline>, entry: Deploy, index: number): Problem[] {
  const given = SOURCES.filter((source) => entry[source] !== undefined);
  if (given.length === 1) return [];
  const has = given.length === 0 ? 'none of them' : given.join(' and ');
  const message = `must have one of manifests, kustomize and helm, and has ${has}`;
  return [problemAt({ ...declared, path: ['spec', 'deploy', index], message })];
}

function repeated(
  declared: Declared<Pipeline>,
  what: string,
  all: readonly Named[],
  hint?: string,
): Problem[] {
  const first = new Map<string, FieldPath>();
  return all.flatMap(({ name, path }) => {
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, path);
      return [];
    }
    const { line } = declared.document.locate(earlier);
    const message = `the ${what} ${name} is taken already, by ${formatFieldPath(earlier)} on line ${line}`;
    return [problemAt({ ...declared, path, message, hint })];
  });
}
