import type { Change, ChangeAction, FieldDiff, Plan } from '#core/plan/change.ts';
import { displayKey, displayText } from '#core/present/display.ts';

const SIGNS: Record<ChangeAction, string> = {
  create: '+',
  update: '~',
  replace: '-/+',
  delete: '-',
};

/** A plan as lines of text, the same in log, CLI and `remote:` lines: each change, then the fields that differ. */
export function planLines(plan: Plan): string[] {
  return plan.flatMap((change) => [changeLine(change), ...change.fields.map(fieldLine)]);
}

/** `1 to create, 2 to update`; what there is none of is left out. */
export function planSummary(plan: Plan): string {
  if (plan.length === 0) return 'no changes';
  return (Object.keys(SIGNS) as ChangeAction[])
    .map((action) => ({ action, count: plan.filter((change) => change.action === action).length }))
    .filter(({ count }) => count > 0)
    .map(({ action, count }) => `${count} to ${action}`)
    .join(', ');
}

function changeLine({ action, key, reason }: Change): string {
  const why = reason === undefined ? '' : ` (${displayText(reason)})`;
  return `${SIGNS[action]} ${action} ${displayKey(key)}${why}`;
}

function fieldLine({ path, current, desired }: FieldDiff): string {
  return `    ${displayText(path)}: ${side(current)} -> ${side(desired)}`;
}

function side(value: string | undefined): string {
  return value === undefined ? '(none)' : displayText(value);
}
