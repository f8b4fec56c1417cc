import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '#core/errors.ts';
import { learnIdentity, makeIdentity } from './identity.ts';

const log = pino({ level: 'silent' });
const signal = AbortSignal.timeout(60_000);
const TOLD = { installation: '0a0b0c0d', recordsKey: 'e'.repeat(64) };
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-identity-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function noServer(): Promise<never> {
  return Promise.reject(new Error('nobody is to be asked'));
}

describe('learnIdentity', () => {
  it('reads it where the server has made it', async () => {
    const made = await makeIdentity(folder);
    expect(await learnIdentity(folder, { identity: noServer }, log, signal)).toEqual(made);
    expect((await readdir(folder)).toSorted()).toEqual(['installation', 'records.key']);
  });

  it('asks the server until it answers, and keeps the answer', async () => {
    let asked = 0;
    async function identity(): Promise<typeof TOLD> {
      asked += 1;
      if (asked === 1) throw new UserError('unavailable', 'not yet', { transient: true });
      return TOLD;
    }
    expect(await learnIdentity(folder, { identity }, log, signal)).toEqual(TOLD);
    expect(await learnIdentity(folder, { identity: noServer }, log, signal)).toEqual(TOLD);
  });

  it('refuses a folder of another installation', async () => {
    await writeFile(join(folder, 'installation'), 'ffffffff\n');
    const learning = learnIdentity(folder, { identity: () => Promise.resolve(TOLD) }, log, signal);
    await expect(learning).rejects.toThrow(
      "of installation ffffffff, and the server's is 0a0b0c0d",
    );
  });

  it('refuses a folder of a newer Windlass', async () => {
    await writeFile(join(folder, 'state-version.json'), '{"version":99}');
    const learning = learnIdentity(folder, { identity: noServer }, log, signal);
    await expect(learning).rejects.toThrow('of version 99');
  });
});
