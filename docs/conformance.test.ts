import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { acceptResources } from '#core/docker/accepts.ts';
import { KINDS } from '#core/docker/kinds.ts';
import type { Kind } from '#core/docker/kinds.ts';
import { notApplicableFields } from '#core/docker/refusals.ts';
import { formatFieldPath } from '#core/field-path.ts';
import type { FieldPath } from '#core/field-path.ts';
import api from '#core/kubernetes/api.json' with { type: 'json' };
import { parseManifests } from '#core/resources/parse.ts';
import { conformanceTables, fieldsOfKind } from './conformance.ts';
import type { Field } from './conformance.ts';
import { fieldValues } from './field-table.ts';

type Json = Record<string | number, unknown>;

const types: Record<string, Record<string, string>> = api.types;
const kinds = Object.keys(KINDS) as Kind[];
const tables = conformanceTables();

const SPECS: Partial<Record<Kind, () => Json>> = {
  Service: () => ({ selector: { a: 'b' }, ports: [{ port: 80 }] }),
  IngressClass: () => ({ controller: 'example.com/edge' }),
  Ingress: () => ({ defaultBackend: { service: { name: 'web', port: { number: 80 } } } }),
  PersistentVolumeClaim: () => ({
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
  }),
  Job: () => ({
    template: {
      spec: { restartPolicy: 'Never', containers: [{ name: 'web', image: 'web' }] },
    },
  }),
  CronJob: () => ({ schedule: '@daily', jobTemplate: { spec: SPECS.Job?.() } }),
  Deployment: templated,
  DaemonSet: templated,
  StatefulSet: templated,
  Pod: () => ({ containers: [{ name: 'web', image: 'web' }] }),
};

function templated(): Json {
  return {
    selector: { matchLabels: { a: 'b' } },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'web', image: 'web' }] },
    },
  };
}

describe.each(kinds)('%s', (kind) => {
  const fields = flatten(fieldsOfKind(kind));

  it('has every field of the official schema in its tables', () => {
    const listed = new Map(fields.map((field) => [field.name, field]));
    const missing = officialNames(api.kinds[kind].type, '', [], (name) => {
      const status = listed.get(name)?.status;
      return status === 'honoured' ? 'deeper' : status !== undefined;
    });
    expect(missing).toEqual([]);
  });

  it('has no field that is not in the official schema', () => {
    const schema = z.toJSONSchema(KINDS[kind], { io: 'input', unrepresentable: 'any' });
    const honoured = fields.filter(({ status }) => status === 'honoured').map(({ name }) => name);
    expect([...fieldValues(schema).keys()].filter((name) => !honoured.includes(name))).toEqual([]);
  });

  it('is validated as its tables say', () => {
    const told = fields.map((field) => [field.name, tellOf(kind, field)]);
    const expected = fields.map((field) => [field.name, expectedOf(field)]);
    expect(told).toEqual(expected);
  });
});

describe('the tables', () => {
  it('say of everything that is honoured what it may be', () => {
    expect(tables).not.toMatch(/\| {2}\| {2}\|/);
  });

  it('give a reason to fields only that Kubernetes has', () => {
    const unknown = notApplicableFields().filter((field) => {
      const [type = '', first = '', second] = field.split('.');
      const own = types[type]?.[first];
      return own === undefined || (second !== undefined && types[own]?.[second] === undefined);
    });
    expect(unknown).toEqual([]);
  });
});

/** Names in the official schema for which `isListed` is false; below one for which it is true it does not look. */
function officialNames(
  type: string,
  above: string,
  within: readonly string[],
  isListed: (name: string) => boolean | 'deeper',
): string[] {
  return Object.entries(types[type] ?? {}).flatMap(([field, fieldType]) => {
    const name = above === '' ? field : `${above}.${field}`;
    const found = isListed(name);
    if (found === false) return [name];
    const inner = fieldType.replace(/(\[\]|\{\})$/, '');
    if (found === true || within.includes(inner)) return [];
    return officialNames(inner, name + fieldType.slice(inner.length), [...within, inner], isListed);
  });
}

/** What validation says of a field in an otherwise valid manifest; empty where it takes it, or objects to the value only. */
function tellOf(kind: Kind, { path }: Field): string {
  const { apiVersion } = api.kinds[kind];
  const spec = SPECS[kind]?.();
  const manifest: Json = { apiVersion, kind, metadata: { name: 'web' }, ...(spec && { spec }) };
  put(manifest, path);
  const text = JSON.stringify(manifest);
  const problems = acceptResources(parseManifests([{ path: 'f.yaml', text }]));
  const about = problems.filter((problem) => problem.path === formatFieldPath(path));
  return about
    .map(({ message }) => message)
    .filter((message) => /no such field|not honour|no meaning/.test(message))
    .join();
}

function expectedOf({ status, reason }: Field): string {
  if (status === 'honoured') return '';
  return status === 'refused'
    ? 'the docker engine does not honour this field yet'
    : `has no meaning on the docker engine: ${reason}`;
}

function put(manifest: Json, path: FieldPath): void {
  let parent = manifest;
  path.forEach((segment, index) => {
    const next = path[index + 1];
    if (next === undefined) parent[segment] ??= 'x';
    else parent[segment] ??= typeof next === 'number' ? [] : {};
    parent = parent[segment] as Json;
  });
}

function flatten(fields: readonly Field[]): Field[] {
  return fields.flatMap((field) => [field, ...flatten(field.fields)]);
}
