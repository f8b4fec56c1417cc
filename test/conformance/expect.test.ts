import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isKind, KINDS } from '#core/docker/kinds.ts';
import type { Kind } from '#core/docker/kinds.ts';
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

describe('the tables', () => {
  it('honour nothing that no behaviour shows: name it in `honours` of the one that does', async () => {
    const all = await Promise.all(
      folders.map((name) => readExpectations(join(import.meta.dirname, name))),
    );
    const shown = new Set(all.flatMap(({ honours }) => honours.map(asOfPod)));
    const honoured = Object.keys(KINDS).flatMap((kind) =>
      leavesOf(fieldsOfKind(kind as Kind)).map((name) => asOfPod(`${kind} ${name}`)),
    );
    expect([...new Set(honoured)].filter((field) => !shown.has(field))).toEqual([]);
  });
});

/** Honoured fields that have none below them. */
function leavesOf(fields: readonly Field[]): string[] {
  return fields
    .filter(({ status }) => status === 'honoured')
    .flatMap(({ name, fields: below }) => {
      const leaves = leavesOf(below);
      return leaves.length === 0 ? [name.replaceAll('[]', '')] : leaves;
    });
}

/** What pods of any kind have, Jobs of a CronJob as Jobs, and init containers as containers, is shown once. */
function asOfPod(field: string): string {
  return field
    .replace(/^CronJob spec\.jobTemplate\.spec\./, 'Job spec.')
    .replace(/^\w+ spec\.template\./, 'Pod ')
    .replace('Pod spec.initContainers.', 'Pod spec.containers.');
}

/** `Service spec.ports.nodePort`; a pod's as the kind Pod has them, whichever kind makes it. */
function isHonoured(field: string): boolean {
  const [kind = '', path = ''] = field.split(' ');
  if (kind === 'Pod' && honouredNames('Deployment').has(`spec.template.${path}`)) return true;
  return isKind(kind) && honouredNames(kind).has(path);
}

function honouredNames(kind: Parameters<typeof fieldsOfKind>[0]): Set<string> {
  const honoured = flatten(fieldsOfKind(kind)).filter(({ status }) => status === 'honoured');
  return new Set(honoured.map(({ name }) => name.replaceAll('[]', '')));
}

function flatten(fields: readonly Field[]): Field[] {
  return fields.flatMap((field) => [field, ...flatten(field.fields)]);
}
