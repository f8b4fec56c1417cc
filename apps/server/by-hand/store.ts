import { z } from 'zod';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { AllByHand } from '#core/by-hand/by-hand.ts';
import type { ByHand } from '#core/by-hand/by-hand.ts';
import type { OwnerKey } from '#core/owner.ts';
import { readJsonFile, writeJsonFile } from '#adapters/state/json-file.ts';

const WRITE_TIMEOUT_MS = 30_000;
const Content = z.strictObject({ version: z.literal(1), owners: AllByHand });

/** What was done by hand to each deploy entry: a file of the state folder, so that it outlives Redis. */
export interface ByHandStore {
  all(): AllByHand;
  /** On disk when it resolves. */
  change(owner: OwnerKey, to: (before: ByHand) => ByHand): Promise<ByHand>;
}

export async function openByHandStore(file: string): Promise<ByHandStore> {
  const lock = createKeyedLock();
  const content = await readJsonFile(file, Content, 'what is suspended, scaled or confirmed');
  let owners = content?.owners ?? {};
  return {
    all: () => owners,
    change: (owner, to) =>
      lock(file, AbortSignal.timeout(WRITE_TIMEOUT_MS), async () => {
        const before = owners[owner] ?? {};
        const after = to(before);
        if (after === before) return before;
        const { [owner]: _, ...others } = owners;
        const next = Object.keys(after).length === 0 ? others : { ...others, [owner]: after };
        await writeJsonFile(file, { version: 1, owners: next } satisfies z.infer<typeof Content>);
        owners = next;
        return after;
      }),
  };
}
