import type { Orphan } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';

/** What is recorded or runs (pods, or services of a fleet) of owners that nobody declares. */
export function findOrphans(
  records: readonly { owner: OwnerKey; key: string }[],
  running: readonly { owner: OwnerKey }[],
  asked: ReadonlySet<OwnerKey>,
): Orphan[] {
  const owners = new Set([...records, ...running].map(({ owner }) => owner));
  return [...owners]
    .filter((owner) => !asked.has(owner))
    .toSorted()
    .map((owner) => ({
      owner,
      resources: records
        .filter((record) => record.owner === owner)
        .map(({ key }) => key)
        .toSorted(),
      pods: running.filter((each) => each.owner === owner).length,
    }));
}
