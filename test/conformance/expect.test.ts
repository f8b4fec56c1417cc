import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isKind } from '#core/docker/kinds.ts';
import { fieldsOfKind } from '../../docs/conformance.ts';
import type { Field } from '../../docs/conformance.ts';
import { readExpectations } from './run-behaviour.ts';

const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe('behaviours', () => {
  it.each(folders)('%s names fields that are honoured', async (name) => {
    const { honours } = await readExpectations(join(import.meta.dirname, name));
    expect(honours.filter((field) => !isHonoured(field))).toEqual([]);
  });
});

/** `Service spec.ports.nodePort`; a pod's as the kind Pod has them, whichever kind makes it. */
function isHonoured(field: string): boolean {
  const [kind = '', path = ''] = field.split(' ');
  if (kind === 'Pod') return honouredNames('Deployment').has(`spec.template.${path}`);
  return isKind(kind) && honouredNames(kind).has(path);
}

function honouredNames(kind: Parameters<typeof fieldsOfKind>[0]): Set<string> {
  const honoured = flatten(fieldsOfKind(kind)).filter(({ status }) => status === 'honoured');
  return new Set(honoured.map(({ name }) => name.replaceAll('[]', '')));
}

function flatten(fields: readonly Field[]): Field[] {
  return fields.flatMap((field) => [field, ...flatten(field.fields)]);
}
