import type { ClusterEvent } from '#core/events/event.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Change, ChangeAction, Plan } from '#core/plan/change.ts';
import { displayText } from '#core/present/display.ts';

const FIELDS_TOLD = 3;
const REASONS: Record<ChangeAction, string> = {
  create: 'Created',
  update: 'Updated',
  replace: 'Replaced',
  delete: 'Deleted',
};

/** What was carried out for an owner, each change with why. */
export function changeEvents(owner: OwnerKey, plan: Plan, at: number): ClusterEvent[] {
  return plan.map((change) => ({
    at,
    type: 'Normal',
    owner,
    resource: change.key,
    reason: REASONS[change.action],
    message: messageOf(change),
  }));
}

function messageOf({ fields, reason }: Change): string {
  const told = fields
    .slice(0, FIELDS_TOLD)
    .map(
      ({ path, current = '(none)', desired = '(none)' }) =>
        `${path}: ${displayText(current)} -> ${displayText(desired)}`,
    );
  const more = fields.length - told.length;
  const all = [...told, ...(more > 0 ? [`${more} more`] : [])].join(', ');
  return [all, reason ?? ''].filter((text) => text !== '').join('; ');
}
