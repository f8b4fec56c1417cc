import { z } from 'zod';
import type { Problem } from '#core/errors.ts';
import { asSubmitted } from '#core/resources/as-submitted.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';
import { parseYamlDocuments } from '#core/yaml-source.ts';
import type { YamlDocument } from '#core/yaml-source.ts';
import { checkDocument, problemAt } from '#core/zod-problems.ts';

/** Where a resource was read from, for what is found wrong with it later. */
export interface Origin {
  file: string;
  document: YamlDocument;
}

export interface ParsedManifests {
  resources: Resource[];
  origins: Map<ResourceKey, Origin>;
  problems: Problem[];
}

/** The least that makes an object a resource; what else it may hold is the engine's to say. */
const AnyResource = z.looseObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  metadata: z.looseObject({ name: z.string().min(1), namespace: z.string().min(1).optional() }),
});

/**
 * The resources in YAML or JSON files, each as `meant` makes it, or left out. Two with one identity are a problem that names both
 * places.
 */
export function parseManifests(
  files: readonly { path: string; text: string }[],
  meant: (resource: Resource) => Resource | undefined = (resource) => resource,
): ParsedManifests {
  const parsed: ParsedManifests = { resources: [], origins: new Map(), problems: [] };
  for (const { path, text } of files) {
    const { documents, problems } = parseYamlDocuments(path, text, 'kubernetes');
    parsed.problems.push(...problems);
    for (const document of documents) addDocument(parsed, { file: path, document }, meant);
  }
  return parsed;
}

function addDocument(
  { resources, origins, problems }: ParsedManifests,
  origin: Origin,
  meant: (resource: Resource) => Resource | undefined,
): void {
  const { file, document } = origin;
  const checked = checkDocument(AnyResource, document, file);
  if ('problems' in checked) {
    problems.push(...checked.problems);
    return;
  }
  const resource = meant(asSubmitted(document.value) as Resource);
  if (resource === undefined) return;
  if (resource.kind === 'List') {
    problems.push(
      problemAt({
        file,
        document,
        path: ['kind'],
        message: 'a List is not taken',
        hint: 'write its items as documents, separated by ---',
      }),
    );
    return;
  }
  const key = keyOf(resource);
  const other = origins.get(key);
  if (other !== undefined) {
    const place = other.document.locate(['metadata', 'name']);
    problems.push(
      problemAt({
        file,
        document,
        path: ['metadata', 'name'],
        message: `${key} is there already, at ${other.file}:${place.line}`,
      }),
    );
    return;
  }
  origins.set(key, origin);
  resources.push(resource);
}
