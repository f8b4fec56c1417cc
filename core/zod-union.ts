import type { z } from 'zod';

/**
 * A union's failure as the failures of the option that was probably meant: the one that fits best. Where no option
 * has even the right type, the union's own issue stays.
 */
export function likeliestIssues(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const [best] = issue.errors
    .map((issues) => ({ issues, cost: total(issues) }))
    .toSorted((one, other) => one.cost - other.cost);
  if (best === undefined || best.cost >= WRONG_TYPE) return [issue];
  return best.issues.flatMap((inner) =>
    likeliestIssues({ ...inner, path: [...issue.path, ...inner.path] }),
  );
}

const WRONG_TYPE = 1_000;

function total(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, issue) => sum + costOf(issue), 0);
}

function costOf(issue: z.core.$ZodIssue): number {
  if (issue.code === 'unrecognized_keys') return 2 * issue.keys.length;
  if (issue.path.length > 0) return 1;
  if (issue.code === 'invalid_type' || issue.code === 'invalid_value') return WRONG_TYPE;
  return issue.code === 'invalid_union' ? Math.min(...issue.errors.map(total), WRONG_TYPE) : 1;
}
