import { canonicalJson } from '#core/hash.ts';
import type { FieldDiff } from '#core/plan/change.ts';

const KEYS_OF_LISTS = ['name', 'containerPort', 'port', 'mountPath', 'key'];

/**
 * The fields that differ between two normalised values, each where it differs and no higher. Entries of a list are
 * matched by their name (or port, or path), so that reordering them is no difference.
 */
export function diffFields(current: unknown, desired: unknown, path = ''): FieldDiff[] {
  if (canonicalJson(current) === canonicalJson(desired)) return [];
  const [currentFields, desiredFields] = [fieldsOf(current), fieldsOf(desired)];
  if (currentFields === undefined || desiredFields === undefined) {
    return [{ path, ...shown('current', current), ...shown('desired', desired) }];
  }
  const names = new Set([...currentFields.keys(), ...desiredFields.keys()]);
  return [...names].flatMap((name) =>
    diffFields(currentFields.get(name), desiredFields.get(name), path + name),
  );
}

/** Members by path suffix: `.image` of an object, `[web]` of a keyed list; absent for all else. */
function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) return keyedItems(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = Object.entries(value).filter(
    ([, field]) => field !== undefined && !isEmpty(field),
  );
  return new Map(fields.map(([name, field]) => [segment(name), field]));
}

function keyedItems(items: readonly unknown[]): Map<string, unknown> | undefined {
  for (const key of KEYS_OF_LISTS) {
    const named = items.flatMap((item) => {
      const name =
        typeof item === 'object' && item !== null
          ? (item as Record<string, unknown>)[key]
          : undefined;
      return typeof name === 'string' || typeof name === 'number'
        ? [[`[${name}]`, item] as const]
        : [];
    });
    const byName = new Map(named);
    if (named.length === items.length && byName.size === items.length) return byName;
  }
  return undefined;
}

function segment(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? `.${name}` : `["${name}"]`;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function shown<Side extends 'current' | 'desired'>(
  side: Side,
  value: unknown,
): { [key in Side]?: string } {
  if (value === undefined) return {};
  return { [side]: typeof value === 'string' ? value : canonicalJson(value) } as {
    [key in Side]?: string;
  };
}
