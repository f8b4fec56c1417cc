import { z } from 'zod';

/** The part of JSON Schema that our schemas turn into. */
const Node = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  required: z.array(z.string()).default([]),
  properties: z.record(z.string(), z.unknown()).default({}),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
});
type Node = z.infer<typeof Node>;

interface Row {
  path: string;
  node: Node;
  /** `choice`: required where this one of several forms is used. */
  need: 'required' | 'choice' | 'optional';
}

/** A Markdown table of every field that the JSON Schema allows, by dotted path. */
export function fieldTable(schema: unknown): string {
  const rows = rowsBelow('', Node.parse(schema));
  const described = rows.some(({ node }) => node.description !== undefined);
  const header = ['Field', 'Value', 'Default', ...(described ? [''] : [])];
  return [header, header.map(() => '---'), ...rows.map((row) => cells(row, described))]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n')
    .concat('\n');
}

/** What a field may be, and what it is where it is left out, as Markdown. */
export interface FieldValue {
  value: string;
  fallback: string;
}

/** Of every field that the JSON Schema allows, by dotted path. */
export function fieldValues(schema: unknown): Map<string, FieldValue> {
  return new Map(
    rowsBelow('', Node.parse(schema)).map((row) => [
      row.path,
      { value: valueOf(row.node), fallback: fallbackOf(row) },
    ]),
  );
}

function rowsBelow(prefix: string, node: Node): Row[] {
  const fields = Object.entries(node.properties).flatMap(([name, child]) =>
    rowsOf(prefix === '' ? name : `${prefix}.${name}`, child, node.required.includes(name)),
  );
  const items = node.items === undefined ? [] : rowsBelow(`${prefix}[]`, Node.parse(node.items));
  const options = (node.anyOf ?? [])
    .flatMap((option) => rowsBelow(prefix, Node.parse(option)))
    .map((row) => ({ ...row, need: row.need === 'required' ? ('choice' as const) : row.need }));
  const seen = new Set<string>();
  return [...fields, ...items, ...options].filter(({ path }) => {
    const isNew = !seen.has(path);
    seen.add(path);
    return isNew;
  });
}

function rowsOf(path: string, schema: unknown, required: boolean): Row[] {
  const node = Node.parse(schema);
  const need = required && node.default === undefined ? 'required' : 'optional';
  return [{ path, node, need }, ...rowsBelow(path, node)];
}

const NEEDS = { required: 'required', choice: 'one of the forms', optional: '' };

function cells(row: Row, described: boolean): string[] {
  const { path, node } = row;
  return [
    code(path),
    valueOf(node),
    fallbackOf(row),
    ...(described ? [escaped(node.description ?? '')] : []),
  ];
}

function fallbackOf({ node, need }: Row): string {
  return node.default === undefined ? NEEDS[need] : code(JSON.stringify(node.default));
}

const TYPES: Record<string, string> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: '`true` or `false`',
  object: 'mapping',
  array: 'list',
};

const LARGEST = Number.MAX_SAFE_INTEGER;

function valueOf(node: Node): string {
  if (node.const !== undefined) return code(constant(node.const));
  if (node.enum !== undefined) return node.enum.map((value) => code(JSON.stringify(value))).join(' or ');
  if (node.anyOf !== undefined) {
    return [...new Set(node.anyOf.map((option) => valueOf(Node.parse(option))))].join(' or ');
  }
  if (node.items !== undefined) return `list of ${valueOf(Node.parse(node.items))}`;
  if (typeof node.additionalProperties === 'object') {
    return `mapping of ${valueOf(Node.parse(node.additionalProperties))}`;
  }
  const type = typeof node.type === 'string' ? (TYPES[node.type] ?? node.type) : 'anything';
  return `${type}${rangeOf(node)}`;
}

function constant(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function rangeOf({ minimum, maximum }: Node): string {
  const least = minimum === undefined || minimum === -LARGEST ? undefined : minimum;
  const most = maximum === undefined || maximum === LARGEST ? undefined : maximum;
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}`;
  if (least !== undefined) return `, at least ${least}`;
  return most === undefined ? '' : `, at most ${most}`;
}

function code(text: string): string {
  return `\`${escaped(text)}\``;
}

function escaped(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
}
