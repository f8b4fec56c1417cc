import type { Plan } from '#core/plan/change.ts';

/** Which deletions wait, and how to let them pass. */
export function heldText(pipeline: string, entry: string, held: Plan): string {
  const count = held.length === 1 ? '1 deletion waits' : `${held.length} deletions wait`;
  return `${count} for a confirmation: windlass confirm ${pipeline} ${entry}`;
}
