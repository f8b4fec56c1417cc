import type { z } from 'zod';
import { UserError } from '#core/errors.ts';
import { formatFieldPath } from '#core/field-path.ts';

/** What came from outside, checked; tells every field that is wrong. */
export function readInput<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const path = formatFieldPath(
      issue.path.map((part) => (typeof part === 'number' ? part : String(part))),
    );
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  throw new UserError('invalid-input', problems.join('; '));
}
