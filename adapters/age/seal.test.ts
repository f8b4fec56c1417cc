import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openSealer } from './seal.ts';
import type { Sealer } from './seal.ts';

let folder: string;
let sealer: Sealer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-age-'));
  sealer = await openSealer(join(folder, 'age.key'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function secret(fields: string): Record<string, string> {
  return {
    'secret_default_a.yaml': `apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n${fields}`,
  };
}

async function none(): Promise<Record<string, string>> {
  return {};
}

describe('openSealer', () => {
  it('hides values and brings them back as data', async () => {
    const sealed = await sealer.seal(secret('stringData: {a: hidden}\ndata: {b: AP8=}\n'), none);
    expect(Object.values(sealed).join('')).not.toContain('hidden');
    const opened = await sealer.open(sealed);
    expect(parse(opened['secret_default_a.yaml'] ?? '')).toMatchObject({
      data: { a: Buffer.from('hidden').toString('base64'), b: 'AP8=' },
    });
  });

  it('keeps the ciphertext of what did not change', async () => {
    const first = await sealer.seal(secret('stringData: {a: one, b: two}\n'), none);
    const second = await sealer.seal(secret('stringData: {a: one, b: other}\n'), async () => first);
    const [before, after] = [first, second].map(
      (each) =>
        (parse(each['secret_default_a.yaml'] ?? '') as { data: Record<string, string> }).data,
    );
    expect(after?.['a']).toBe(before?.['a']);
    expect(after?.['b']).not.toBe(before?.['b']);
  });

  it('takes its key up again, which only its owner can read', async () => {
    const sealed = await sealer.seal(secret('stringData: {a: x}\n'), none);
    const again = await openSealer(join(folder, 'age.key'));
    expect(await again.open(sealed)).toEqual(await sealer.open(sealed));
    expect((await stat(join(folder, 'age.key'))).mode & 0o777).toBe(0o600);
  });

  it('leaves other kinds as they are', async () => {
    const map = { 'a.yaml': 'kind: ConfigMap\ndata: {a: age:x}\n' };
    expect(await sealer.seal(map, none)).toEqual(map);
    expect(await sealer.open(map)).toEqual(map);
  });
});
