import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import { parseRefId } from '#core/kubernetes/api-kind.ts';
import type { ObjectRef } from '#core/kubernetes/api-kind.ts';
import { HookRecord } from '#core/kubernetes/hook-record.ts';
import type { OwnerKey } from '#core/owner.ts';

const Entry = z.strictObject({
  /** Absent: it was about to be made. */
  uid: z.string().exactOptional(),
  /** It was there before: it is left when it is not wanted any more. */
  adopted: z.literal(true).exactOptional(),
  /** Its deletion waits for a confirmation. */
  held: z.literal(true).exactOptional(),
  /** Of a Job that has completed: what was applied. It may be gone by itself. */
  done: z.string().exactOptional(),
});
export type InventoryEntry = z.infer<typeof Entry>;

/** What an owner has on the cluster: by identity. */
export type Entries = Readonly<Record<string, InventoryEntry>>;
const Entries = z.record(z.string(), Entry);

const refs = new WeakMap<Entries, readonly ObjectRef[]>();

/** What they are of. An inventory stays the same from pass to pass, and there are thousands of entries. */
export function refsOf(entries: Entries): readonly ObjectRef[] {
  const known = refs.get(entries) ?? Object.keys(entries).map(parseRefId);
  refs.set(entries, known);
  return known;
}

export interface Inventory {
  owner: OwnerKey;
  entries: Entries;
  /** Of an owner that has hooks. */
  hooks?: HookRecord;
}

/** Of what the API server takes as one object, 1 MiB, with room for the rest of it. */
const MOST_CHARACTERS = 1_000_000;

/** Whether they say the same. */
export function isSameInventory(one: Entries, other: Entries): boolean {
  const ids = Object.keys(one);
  return (
    ids.length === Object.keys(other).length &&
    ids.every((id) => Object.hasOwn(other, id) && isSame(one[id], other[id]))
  );
}

function isSame(one: InventoryEntry | undefined, other: InventoryEntry | undefined): boolean {
  return (
    one?.uid === other?.uid &&
    one?.adopted === other?.adopted &&
    one?.held === other?.held &&
    one?.done === other?.done
  );
}

/** An inventory as the data of a ConfigMap: one line an object, for people to read. */
export function inventoryData({ owner, entries, hooks }: Inventory): Record<string, string> {
  const lines = Object.entries(entries).map(
    ([id, entry]) => `${JSON.stringify(id)}: ${JSON.stringify(entry)}`,
  );
  const text = `{\n${lines.join(',\n')}\n}`;
  if (text.length > MOST_CHARACTERS)
    throw new UserError('no-space', `${owner} has too many objects for its inventory`, {
      hint: 'divide it into several deploy entries: about 8,000 objects each',
    });
  return { owner, objects: text, ...(hooks === undefined ? {} : { hooks: JSON.stringify(hooks) }) };
}

/** @throws UserError where somebody has changed it so that it cannot be read: nothing is to be deleted by it */
export function readInventory(
  name: string,
  data: Readonly<Record<string, string>> = {},
): Inventory {
  try {
    const { owner = '', objects = '' } = data;
    if (owner === '') throw new Error('it has no owner');
    const kept = { owner, entries: Entries.parse(JSON.parse(objects)) };
    const { hooks } = data;
    return hooks === undefined ? kept : { ...kept, hooks: HookRecord.parse(JSON.parse(hooks)) };
  } catch (error) {
    throw new UserError('invalid-input', `the inventory ${name} cannot be read`, {
      hint: 'somebody has changed it: bring it back, or delete it to have what is marked found again',
      cause: error,
    });
  }
}
