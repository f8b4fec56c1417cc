import { randomBytes, timingSafeEqual, createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';

const Tokens = z.looseObject({ admin: z.string().min(16), worker: z.string().min(16) });
export type Tokens = z.infer<typeof Tokens>;
export type Role = 'admin' | 'worker';

/** The tokens of `file`, which is made at the first start, for its owner's eyes only. */
export async function readTokens(file: string): Promise<Tokens> {
  const fresh: Tokens = { admin: newToken(), worker: newToken() };
  try {
    const text = `${JSON.stringify(fresh, null, 2)}\n`;
    await writeFile(file, text, { flag: 'wx', mode: 0o600 });
    return fresh;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const parsed = Tokens.safeParse(parseJson(await readFile(file, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new UserError('invalid-input', `${file} does not hold the tokens admin and worker`, {
    hint: 'remove it: new tokens are made at the next start',
  });
}

/** Whose token it is. Takes the same time however much of it is right. */
export function roleOf(tokens: Tokens, token: string): Role | undefined {
  const isAdmin = isSame(tokens.admin, token);
  const isWorker = isSame(tokens.worker, token);
  if (isAdmin) return 'admin';
  return isWorker ? 'worker' : undefined;
}

export function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function newToken(): string {
  return randomBytes(24).toString('base64url');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
