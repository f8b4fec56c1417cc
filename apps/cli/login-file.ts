import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import type { Server } from './client.ts';

const LoginFile = z.object({ url: z.url(), token: z.string().min(1) });

/** The server that was logged in to; absent where none was. */
export async function readLogin(file: string): Promise<Server | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const parsed = LoginFile.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new UserError('invalid-input', `${file} is not a login`, {
    hint: 'remove it and run `windlass login <url>`',
  });
}

/** Replaces the file as a whole; nobody but its owner can read it at any moment. */
export async function writeLogin(file: string, login: Server): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const part = `${file}.part`;
  await writeFile(part, `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600 });
  await chmod(part, 0o600);
  await rename(part, file);
}

export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code))
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
