import { z } from 'zod';
import { KINDS } from '#core/docker/kinds.ts';
import type { Kind } from '#core/docker/kinds.ts';
import { refusalOf } from '#core/docker/unknown-field.ts';
import type { FieldPath } from '#core/field-path.ts';
import { fieldsOf, typeAt } from '#core/kubernetes/fields.ts';
import { isSwarmKind, KINDS_NOT_ON_SWARM, SWARM_KINDS } from '#core/swarm/kinds.ts';
import { whyNotOnSwarm } from '#core/swarm/refusals.ts';
import { knownKeys } from '#core/zod-schema.ts';
import { fieldValues } from './field-table.ts';
import type { FieldValue } from './field-table.ts';

/** One of Kubernetes' fields, and what the docker engine does with it. */
export interface Field {
  /** As written in the tables: `spec.ports[].port`. */
  name: string;
  path: FieldPath;
  /** Kubernetes' name of what one of it is: `Container` for a list of those. */
  type: string;
  status: 'honoured' | 'refused' | 'not applicable';
  /** Why it is not honoured. */
  reason: string;
  /** Empty where it is not honoured. */
  fields: Field[];
  /** How many fields it has that are not listed, since none of them is honoured. */
  hidden: number;
}

/** Every field of the kind in Kubernetes' API, told by what validation itself takes. */
export function fieldsOfKind(kind: Kind): Field[] {
  return fieldsAt(kind, [], '');
}

/** The tables of all kinds. */
export function conformanceTables(): string {
  const seen = new Map<string, Told>();
  return Object.keys(KINDS)
    .map((kind) => kindTables(kind as Kind, seen))
    .join('\n');
}

function fieldsAt(kind: Kind, path: FieldPath, name: string): Field[] {
  const taken = new Set(knownKeys(KINDS[kind], path));
  return Object.entries(fieldsOf(typeAt(kind, path) ?? '') ?? {}).map(([field, fullType]) => {
    const type = fullType.replace(/(\[\]|\{\})$/, '');
    const own = { name: name === '' ? field : `${name}.${field}`, path: [...path, field], type };
    if (!taken.has(field)) {
      const refusal = refusalOf(kind, own.path);
      const isHere = refusal.why === 'not applicable';
      return {
        ...own,
        status: isHere ? ('not applicable' as const) : ('refused' as const),
        reason: isHere ? refusal.reason : '',
        fields: [],
        hidden: count(type, []),
      };
    }
    const fields = fullType.endsWith('[]')
      ? fieldsAt(kind, [...own.path, 0], `${own.name}[]`)
      : [...fieldsAt(kind, own.path, own.name), ...keysAt(kind, own, fullType)];
    return { ...own, status: 'honoured' as const, reason: '', fields, hidden: 0 };
  });
}

/** Of a mapping whose keys are free in Kubernetes: those that are taken here. */
function keysAt(kind: Kind, { name, path, type }: Pick<Field, 'name' | 'path' | 'type'>, fullType: string): Field[] {
  if (!fullType.endsWith('{}')) return [];
  return knownKeys(KINDS[kind], path).map((key) => ({
    name: `${name}.${key}`,
    path: [...path, key],
    type,
    status: 'honoured',
    reason: '',
    fields: [],
    hidden: 0,
  }));
}

function count(type: string, within: readonly string[]): number {
  if (within.includes(type)) return 0;
  return Object.values(fieldsOf(type) ?? {})
    .map((fullType) => 1 + count(fullType.replace(/(\[\]|\{\})$/, ''), [...within, type]))
    .reduce((sum, each) => sum + each, 0);
}

/** What was told of one of Kubernetes' types, and where. */
interface Told {
  where: string;
  rows: Row[];
}

interface Row {
  /** Without the part that leads to the type it was told of. */
  name: string;
  cells: string;
  honoured: boolean;
}

const FEWEST_TO_FOLD = 8;

function kindTables(kind: Kind, seen: Map<string, Told>): string {
  const schema = z.toJSONSchema(KINDS[kind], { io: 'input', unrepresentable: 'any' });
  const rows = tell(fieldsOfKind(kind), '', { kind, values: fieldValues(schema), seen });
  const honoured = rows.filter((row) => row.honoured);
  const others = rows.filter((row) => !row.honoured);
  return [
    `## ${kind}`,
    '',
    ...notOnSwarm(kind),
    ...table(['Field', 'Value', 'Default', 'On swarm'], honoured),
    '',
    'Not taken:',
    '',
    ...table(['Field', 'Why'], others),
    '',
  ].join('\n');
}

function notOnSwarm(kind: Kind): string[] {
  if (isSwarmKind(kind)) return [];
  return [`Not on swarm: ${KINDS_NOT_ON_SWARM.get(kind) ?? 'not yet'}.`, ''];
}

interface Telling {
  kind: Kind;
  values: ReadonlyMap<string, FieldValue>;
  seen: Map<string, Told>;
}

function tell(fields: readonly Field[], above: string, telling: Telling): Row[] {
  return fields.flatMap((field) => {
    const name = field.name.slice(above.length).replace(/^\./, '');
    if (field.status !== 'honoured')
      return [{ name, cells: `${whyNot(field)}${butOnSwarm(telling.kind, field.path)}`, honoured: false }];
    const { value = '', fallback = '' } = telling.values.get(field.name) ?? {};
    const row = { name, cells: `${value} | ${fallback} | ${onSwarm(telling.kind, field.path)}`, honoured: true };
    const below = tell(field.fields, above, telling);
    if (below.length < FEWEST_TO_FOLD) return [row, ...below];
    return [row, ...fold(field, name, below, telling)];
  });
}

/** A type told before is not told again: only what differs here is. */
function fold(field: Field, name: string, below: readonly Row[], { kind, seen }: Telling): Row[] {
  const rows = below.map((row) => ({ ...row, name: row.name.slice(name.length) }));
  const told = seen.get(field.type);
  if (told === undefined) {
    seen.set(field.type, { where: `${kind} ${field.name}`, rows });
    return [...below];
  }
  const before = new Map(told.rows.map((row) => [row.name, row]));
  const differing = below.filter((row, index) => {
    const known = before.get(rows[index]?.name ?? '');
    return known?.cells !== row.cells || known.honoured !== row.honoured;
  });
  if (differing.length > below.length / 2) return [...below];
  const but = differing.length === 0 ? '' : '; what differs is listed apart';
  const same = { name: `${name} …`, cells: `as in \`${told.where}\`${but} |  | as there`, honoured: true };
  return [same, ...differing];
}

/** What the swarm engine does with a field that the docker engine honours. */
function onSwarm(kind: Kind, path: FieldPath): string {
  if (!isSwarmKind(kind)) return 'no';
  const above = path.map((_, index) => path.slice(0, index + 1));
  const [reason] = above.flatMap((each) => reasonAt(kind, each) ?? []);
  if (reason === undefined) return 'yes';
  return reasonAt(kind, path) === undefined ? 'no' : `no: ${reason}`;
}

/** Of a field of Kubernetes' own types: places in a list and free keys are none. */
function reasonAt(kind: Kind, path: FieldPath): string | undefined {
  const type = typeAt(kind, path.slice(0, -1)) ?? '';
  return fieldsOf(type) === undefined ? undefined : whyNotOnSwarm(`${type}.${path.at(-1)}`);
}

function butOnSwarm(kind: Kind, path: FieldPath): string {
  const field = String(path.at(-1));
  const isTaken = isSwarmKind(kind) && knownKeys(SWARM_KINDS[kind], path.slice(0, -1)).includes(field);
  return isTaken ? '; honoured on swarm' : '';
}

function whyNot({ status, reason, hidden }: Field): string {
  const below = hidden === 0 ? '' : ` (${hidden} more ${hidden === 1 ? 'field' : 'fields'} below it)`;
  return status === 'refused' ? `not honoured yet${below}` : `not applicable: ${reason}${below}`;
}

function table(header: readonly string[], rows: readonly Row[]): string[] {
  return [
    `| ${header.join(' | ')} |`,
    `| ${header.map(() => '---').join(' | ')} |`,
    ...rows.map(({ name, cells }) => `| \`${name}\` | ${cells} |`),
  ];
}
