import { open, readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { AllByHand } from '#core/by-hand/by-hand.ts';
import type { ByHand } from '#core/by-hand/by-hand.ts';
import { UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';

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
  let owners = await read(file);
  return {
    all: () => owners,
    change: (owner, to) =>
      lock(file, AbortSignal.timeout(WRITE_TIMEOUT_MS), async () => {
        const after = to(owners[owner] ?? {});
        const { [owner]: _, ...others } = owners;
        const next = Object.keys(after).length === 0 ? others : { ...others, [owner]: after };
        await write(file, { version: 1, owners: next });
        owners = next;
        return after;
      }),
  };
}

async function read(file: string): Promise<AllByHand> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
  try {
    return Content.parse(JSON.parse(text)).owners;
  } catch (error) {
    throw new UserError('invalid-input', `${file} cannot be read as this version writes it`, {
      hint: 'put it back from a backup; removing it forgets what is suspended, scaled or confirmed by hand',
      cause: error,
    });
  }
}

async function write(file: string, content: z.infer<typeof Content>): Promise<void> {
  const part = `${file}.part`;
  const handle = await open(part, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, file);
}
