import { createHash } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import { writeJsonFile } from './json-file.ts';
import { readRecordsKey } from './records-key.ts';
import { addMetricsToken, readTokens } from './tokens.ts';

/** Of state folders before they said their version. */
const FIRST_VERSION = 1;
const FILE = 'state-version.json';
/** Where a restore unpacks; what is there says that it has not ended. */
export const RESTORING = 'restoring.part';
const StateVersion = z.looseObject({ version: z.int().min(FIRST_VERSION) });

/** A step to version `to` from the one before. Killed at any point and done again it must come to the same. */
export interface StateUpgrade {
  to: number;
  run: (stateDir: string) => Promise<void>;
}

const UPGRADES: readonly StateUpgrade[] = [
  {
    to: 2,
    // The key was a hash of the worker token, which then could not be reset.
    run: async (stateDir) => {
      const { worker } = await readTokens(stateDir);
      const key = createHash('sha256').update(`windlass records ${worker}`).digest('hex');
      await readRecordsKey(stateDir, key);
    },
  },
  { to: 3, run: addMetricsToken },
];

/** The version that this program works with. */
export const STATE_VERSION = UPGRADES.at(-1)?.to ?? FIRST_VERSION;

/** The version of a state folder; absent where no server has ever used it. */
export async function readStateVersion(stateDir: string): Promise<number | undefined> {
  await refuseHalfRestored(stateDir);
  const file = join(stateDir, FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return (await isThere(join(stateDir, 'tokens.json'))) ? FIRST_VERSION : undefined;
  }
  const parsed = StateVersion.safeParse(parseJson(text));
  if (parsed.success) return parsed.data.version;
  throw new UserError('invalid-input', `${file} does not hold the version of the state folder`, {
    hint: 'put it back from a backup',
  });
}

/** Refuses a state folder that a newer program has written. */
export async function checkStateVersion(stateDir: string): Promise<void> {
  refuseNewer(stateDir, (await readStateVersion(stateDir)) ?? STATE_VERSION);
}

export function refuseNewer(what: string, version: number, known = STATE_VERSION): void {
  if (version <= known) return;
  throw new UserError(
    'unsupported',
    `${what} is of version ${version}, and this Windlass knows versions up to ${known}`,
    { hint: 'use the newer Windlass, or go back to a backup from before its first start' },
  );
}

/** Brings a state folder to this program's version, step by step. The caller holds the folder's lock. */
export async function upgradeState(
  stateDir: string,
  onStep: (from: number, to: number) => void,
  upgrades: readonly StateUpgrade[] = UPGRADES,
): Promise<void> {
  const newest = upgrades.at(-1)?.to ?? FIRST_VERSION;
  const found = await readStateVersion(stateDir);
  refuseNewer(stateDir, found ?? newest, newest);
  let version = found ?? newest;
  if (found === undefined) await writeVersion(stateDir, newest);
  for (const upgrade of upgrades.filter(({ to }) => to > version)) {
    await upgrade.run(stateDir);
    await writeVersion(stateDir, upgrade.to);
    onStep(version, upgrade.to);
    version = upgrade.to;
  }
}

async function refuseHalfRestored(stateDir: string): Promise<void> {
  if (!(await isThere(join(stateDir, RESTORING)))) return;
  throw new UserError('conflict', `a restore into ${stateDir} was cut off`, {
    hint: 'empty the folder and restore again',
  });
}

function writeVersion(stateDir: string, version: number): Promise<void> {
  return writeJsonFile(join(stateDir, FILE), { version });
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
