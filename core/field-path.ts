export type FieldPath = readonly (string | number)[];

/** As people write it: `spec.images[0].context`, `data["app.conf"]`. */
export function formatFieldPath(path: FieldPath): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`;
    if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(segment)) return `${text}[${JSON.stringify(segment)}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}

/** What is at the path within plain data; undefined where nothing is. */
export function valueAt(value: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((parent, segment) => {
    if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, segment)) {
      return undefined;
    }
    return Object.entries(parent).find(([key]) => key === String(segment))?.[1];
  }, value);
}
