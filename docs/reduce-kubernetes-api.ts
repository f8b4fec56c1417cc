import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/**
 * `npm run kubernetes-api -- <file>`: makes `core/kubernetes/api.json` from the OpenAPI v2 document of a Kubernetes API
 * server (`kubectl get --raw /openapi/v2`): every field of the kinds below with its type, and nothing else.
 */

const KINDS = [
  'Namespace',
  'ConfigMap',
  'Secret',
  'Service',
  'Pod',
  'Deployment',
  'DaemonSet',
  'Ingress',
  'IngressClass',
  'NetworkPolicy',
  'PersistentVolumeClaim',
  'StorageClass',
  'StatefulSet',
  'Job',
  'CronJob',
  'HorizontalPodAutoscaler',
];
/** Of a kind of which Kubernetes has several: the one that is taken. */
const VERSIONS: Readonly<Record<string, string>> = { HorizontalPodAutoscaler: 'v2' };

const Schema = z.looseObject({
  type: z.string().optional(),
  $ref: z.string().optional(),
  get items() {
    return Schema.optional();
  },
  get additionalProperties() {
    return Schema.optional();
  },
});
type Schema = z.infer<typeof Schema>;
const Definition = z.looseObject({
  properties: z.record(z.string(), Schema).optional(),
  'x-kubernetes-group-version-kind': z
    .array(z.object({ group: z.string(), version: z.string(), kind: z.string() }))
    .default([]),
});
const Document = z.looseObject({
  info: z.object({ version: z.string() }),
  definitions: z.record(z.string(), Definition),
});

const [file = ''] = process.argv.slice(2);
const { info, definitions } = Document.parse(JSON.parse(readFileSync(file, 'utf8')));
const types = new Map<string, Record<string, string>>();
const kinds = Object.entries(definitions).flatMap(([name, definition]) =>
  definition['x-kubernetes-group-version-kind'].map((gvk) => ({ ...gvk, name })),
);
const taken = KINDS.map((kind) => {
  const version = VERSIONS[kind] ?? 'v1';
  const found = kinds.find((each) => each.kind === kind && each.version === version);
  if (found === undefined) throw new Error(`there is no ${kind} in ${file}`);
  add(found.name);
  return found;
});

const lines = [
  '{',
  `"source": ${JSON.stringify(`OpenAPI v2 definitions of a Kubernetes ${info.version} API server`)},`,
  '"license": "Apache-2.0",',
  '"kinds": {',
  taken
    .map(({ kind, group, version, name }) => {
      const apiVersion = group === '' ? version : `${group}/${version}`;
      return `${JSON.stringify(kind)}: ${JSON.stringify({ apiVersion, type: short(name) })}`;
    })
    .join(',\n'),
  '},',
  '"types": {',
  [...types]
    .toSorted(([one], [other]) => (short(one) < short(other) ? -1 : 1))
    .map(([name, fields]) => `${JSON.stringify(short(name))}: ${JSON.stringify(fields)}`)
    .join(',\n'),
  '}',
  '}',
  '',
];
writeFileSync(join(import.meta.dirname, '../core/kubernetes/api.json'), lines.join('\n'));

function add(name: string): void {
  const properties = definitions[name]?.properties;
  if (properties === undefined || types.has(name)) return;
  const fields: Record<string, string> = {};
  types.set(name, fields);
  for (const [field, schema] of Object.entries(properties)) {
    fields[field] = typeOf(schema);
    const inner = innermost(schema).$ref;
    if (inner !== undefined) add(inner.replace('#/definitions/', ''));
  }
}

function typeOf({ type, $ref, items, additionalProperties }: Schema): string {
  if ($ref !== undefined) return short($ref);
  if (items !== undefined) return `${typeOf(items)}[]`;
  if (additionalProperties !== undefined) return `${typeOf(additionalProperties)}{}`;
  return type ?? 'any';
}

function innermost(schema: Schema): Schema {
  const inner = schema.items ?? schema.additionalProperties;
  return inner === undefined ? schema : innermost(inner);
}

function short(name: string): string {
  return name.split('.').at(-1) ?? name;
}
