import type { ManagedFields } from '#core/kubernetes/live-object.ts';
import { FIELD_MANAGER } from '#core/kubernetes/marks.ts';

/** A step of a path: a field of an object, or the item of a list with that name (port, path, …). */
export type Step = { field: string } | { item: string };

type Tree = Readonly<Record<string, unknown>>;

const ITEM_KEYS = ['name', 'containerPort', 'port', 'mountPath', 'key', 'type', 'ip', 'uid'];

/**
 * Reads a path as plans show it: `spec.replicas`, `data["app.conf"]`, `spec.template.spec.containers[web].image`.
 * Undefined where it is none.
 */
export function parsePath(text: string): Step[] | undefined {
  const steps: Step[] = [];
  let rest = text.trim().replace(/^\./, '');
  let isFirst = true;
  while (rest !== '') {
    const match = /^\["((?:[^"\\]|\\.)*)"\]|^\[([^\]"]+)\]|^(\.?)([A-Za-z0-9_/-]+)/.exec(rest);
    if (match === null) return undefined;
    const [whole, quoted, item, dot, name] = match;
    if (quoted !== undefined) steps.push({ field: quoted });
    else if (item !== undefined) steps.push({ item });
    else if (name !== undefined && (dot === '.') !== isFirst) steps.push({ field: name });
    else return undefined;
    rest = rest.slice(whole.length);
    isFirst = false;
  }
  return steps.length === 0 ? undefined : steps;
}

/** What is there; undefined where nothing is. */
export function readPath(value: unknown, steps: readonly Step[]): unknown {
  return steps.reduce<unknown>((parent, step) => childOf(parent, step), value);
}

/** A copy with another value there, without it where that is undefined. What the way to it lacks is not made. */
export function withPath(value: unknown, steps: readonly Step[], next: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return next;
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    if (!('item' in step)) return items;
    return items.flatMap((each) => {
      if (!isItem(each, step.item)) return [each];
      const changed = withPath(each, rest, next);
      return changed === undefined ? [] : [changed];
    });
  }
  const fields = fieldsOf(value);
  if (fields === undefined || 'item' in step) return value;
  if (rest.length > 0 && !Object.hasOwn(fields, step.field)) return value;
  const changed = withPath(fields[step.field], rest, next);
  const others = Object.entries(fields).filter(([name]) => name !== step.field);
  return Object.fromEntries(changed === undefined ? others : [...others, [step.field, changed]]);
}

/** Managers other than us that have set what is there, or something within. */
export function managersAt(
  managed: readonly ManagedFields[] = [],
  steps: readonly Step[],
): string[] {
  const found = managed
    .filter((each) => !isOurs(each) && holds(each.fieldsV1 ?? {}, steps))
    .map(({ manager }) => manager);
  return [...new Set(found)];
}

/** A copy without the fields that the manager has set. Items of lists stay. */
export function withoutFieldsOf<T>(
  value: T,
  managed: readonly ManagedFields[],
  manager: string,
): T {
  return managed
    .filter((each) => each.manager === manager)
    .reduce<T>((rest, { fieldsV1 = {} }) => without(rest, fieldsV1) as T, value);
}

function isOurs({ manager, operation }: ManagedFields): boolean {
  return manager === FIELD_MANAGER && operation === 'Apply';
}

function holds(tree: Tree, steps: readonly Step[]): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  const keys = Object.keys(tree).filter((key) => leadsTo(key, step));
  return keys.some((key) => {
    const inner = fieldsOf(tree[key]) ?? {};
    // A leaf is set as a whole.
    return Object.keys(inner).length === 0 || holds(inner, rest);
  });
}

function leadsTo(key: string, step: Step): boolean {
  if ('field' in step) return key === `f:${step.field}`;
  if (!key.startsWith('k:')) return false;
  const keys = fieldsOf(JSON.parse(key.slice(2))) ?? {};
  return Object.values(keys).some((each) => String(each) === step.item);
}

function without(value: unknown, tree: Tree): unknown {
  if (Array.isArray(value)) {
    return value.map((item: unknown) => {
      const key = Object.keys(tree).find((each) => each.startsWith('k:') && keysMatch(item, each));
      return key === undefined ? item : without(item, fieldsOf(tree[key]) ?? {});
    });
  }
  const fields = fieldsOf(value);
  if (fields === undefined) return value;
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const inner = fieldsOf(tree[`f:${name}`]);
      if (inner === undefined) return [[name, field]];
      return Object.keys(inner).length === 0 ? [] : [[name, without(field, inner)]];
    }),
  );
}

/** Whether it is the item of a list that a `k:` of managed fields names. */
export function keysMatch(item: unknown, key: string): boolean {
  const fields = fieldsOf(item);
  const keys = fieldsOf(JSON.parse(key.slice(2))) ?? {};
  // Keys that have defaults, a port's protocol, need not be written.
  return (
    fields !== undefined &&
    Object.entries(keys).every(([name, wanted]) => (fields[name] ?? wanted) === wanted)
  );
}

function childOf(parent: unknown, step: Step): unknown {
  if ('item' in step)
    return Array.isArray(parent)
      ? parent.find((each: unknown) => isItem(each, step.item))
      : undefined;
  const fields = fieldsOf(parent);
  return fields !== undefined && Object.hasOwn(fields, step.field) ? fields[step.field] : undefined;
}

function isItem(value: unknown, name: string): boolean {
  const fields = fieldsOf(value);
  if (fields === undefined) return false;
  const key = ITEM_KEYS.find((each) => Object.hasOwn(fields, each));
  return key !== undefined && String(fields[key]) === name;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
