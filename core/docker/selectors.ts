import { z } from 'zod';
import { Strings } from '#core/docker/kind-words.ts';
import type { FieldPath } from '#core/field-path.ts';

const Requirement = z
  .strictObject({
    key: z.string().min(1),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: z.array(z.string()).default([]),
  })
  .refine(
    ({ operator, values }) => operator.endsWith('In') === values.length > 0,
    'must have values with In and NotIn, and with no other operator',
  );
type Requirement = z.infer<typeof Requirement>;

export const Selector = z.strictObject({
  matchLabels: Strings.default({}),
  matchExpressions: z.array(Requirement).optional(),
});
export type Selector = z.infer<typeof Selector>;

type Labels = Readonly<Record<string, string>>;

/** A workload has to select its own pods, as the API server wants it. */
export function checkSelector(
  { matchLabels, matchExpressions = [] }: Selector,
  labels: Labels,
  report: (path: FieldPath, message: string, hint?: string) => void,
): void {
  const path = ['spec', 'selector'];
  const hint = 'the selector must match the pods of the template';
  for (const [label, value] of Object.entries(matchLabels)) {
    if (labels[label] !== value)
      report(
        [...path, 'matchLabels', label],
        `the template's labels do not have ${label}: ${value}`,
        hint,
      );
  }
  matchExpressions.forEach((requirement, index) => {
    if (!isMet(requirement, labels))
      report(
        [...path, 'matchExpressions', index],
        `the template's labels do not match: ${inWords(requirement)}`,
        hint,
      );
  });
  if (Object.keys(matchLabels).length + matchExpressions.length === 0)
    report(path, 'must not be empty');
}

/** What is not in a set need not be there at all. */
function isMet({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

function inWords({ key, operator, values }: Requirement): string {
  return [key, operator, values.join(', ')].join(' ').trim();
}
