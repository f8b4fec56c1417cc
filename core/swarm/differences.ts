/**
 * Paths at which what Swarm tells is not what is wanted. What Swarm adds by itself is no difference, and nothing is the
 * same as an empty text, list or mapping.
 */
export function differences(live: unknown, wanted: unknown, path = ''): string[] {
  if (isNothing(live) && isNothing(wanted)) return [];
  if (Array.isArray(wanted)) return differentLists(live, wanted, path);
  if (typeof wanted !== 'object' || wanted === null) return live === wanted ? [] : [path];
  if (typeof live !== 'object' || live === null)
    return Object.values(wanted).every(isNothing) ? [] : [path];
  const found = live as Record<string, unknown>;
  const isFree = FREE_KEYS.has(path.split('.').at(-1) ?? '');
  const keys = isFree ? [...Object.keys(wanted), ...Object.keys(live)] : Object.keys(wanted);
  return [...new Set(keys)].flatMap((key) =>
    differences(
      found[key],
      (wanted as Record<string, unknown>)[key],
      path === '' ? key : `${path}.${key}`,
    ),
  );
}

/** Mappings in which every key is somebody's. */
const FREE_KEYS = new Set(['Labels', 'Sysctls', 'Limits', 'Reservations']);

function differentLists(live: unknown, wanted: readonly unknown[], path: string): string[] {
  const found = Array.isArray(live) ? live : [];
  if (found.length !== wanted.length) return [path];
  const isSame = wanted.every((item, index) => differences(found[index], item).length === 0);
  return isSame ? [] : [path];
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false)
    return true;
  return typeof value === 'object' && Object.values(value).every(isNothing);
}
