import type { z } from 'zod';
import { UserError } from '#core/errors.ts';
import { checkDocument } from '#core/zod-problems.ts';

/** A value that no file holds has one place. */
const PLACE = { line: 1, column: 1 };

/** What came from outside, checked; tells every field that is wrong. */
export function readInput<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const document = { value, locate: () => PLACE, written: () => undefined };
  const checked = checkDocument(schema, document, '');
  if ('value' in checked) return checked.value;
  const problems = checked.problems.map(({ path, message, hint }) => {
    const field = path === '' ? '' : `${path}: `;
    return `${field}${message}${hint === undefined ? '' : ` (${hint})`}`;
  });
  throw new UserError('invalid-input', problems.join('; '));
}
