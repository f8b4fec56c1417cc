/**
 * An object as the API server reads it: a field that is null is a field that is not there, and so is the empty `status`
 * that kubectl writes.
 */
export function asSubmitted(value: unknown): unknown {
  const object = withoutNulls(value);
  if (typeof object !== 'object' || object === null) return object;
  return Object.fromEntries(
    Object.entries(object).filter(([key, field]) => key !== 'status' || !isEmptyMapping(field)),
  );
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([key, field]) => [key, withoutNulls(field)]),
  );
}

function isEmptyMapping(value: unknown): boolean {
  return (
    typeof value === 'object' && !Array.isArray(value) && Object.keys(value ?? {}).length === 0
  );
}
