import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import { createOnce } from './create-once.ts';
import { writeJsonFile } from './json-file.ts';

const Token = z.string().min(16);
const Tokens = z.looseObject({
  admin: Token,
  worker: Token,
  /** Reads `/metrics` and nothing else. Of folders before version 3 there is none yet. */
  metrics: Token.exactOptional(),
});
export type Tokens = Readonly<z.infer<typeof Tokens>>;
export type Role = 'admin' | 'worker' | 'metrics';

/** The tokens of a server as they are now. */
export interface LiveTokens extends Tokens {
  /** Takes what was changed in the file meanwhile. */
  refresh(): Promise<void>;
}

/** The tokens of a state folder, made at the first start, for its owner's eyes only. */
export async function openTokens(stateDir: string): Promise<LiveTokens> {
  const file = tokensFile(stateDir);
  const fresh: Tokens = { admin: newToken(), worker: newToken(), metrics: newToken() };
  await createOnce(file, `${JSON.stringify(fresh, null, 2)}\n`);
  let written = await stampOf(file);
  let tokens = await readTokens(stateDir);
  return {
    get admin() {
      return tokens.admin;
    },
    get worker() {
      return tokens.worker;
    },
    get metrics() {
      return tokens.metrics ?? '';
    },
    async refresh() {
      const now = await stampOf(file);
      if (now === written) return;
      tokens = await readTokens(stateDir);
      written = now;
    },
  };
}

export async function readTokens(stateDir: string): Promise<Tokens> {
  const file = tokensFile(stateDir);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError('not-found', `there is no ${file}`, {
      hint: 'is it the state folder of a server that was started once?',
      cause: error,
    });
  });
  const parsed = Tokens.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new UserError('invalid-input', `${file} does not hold the tokens admin and worker`, {
    hint: 'remove it: new tokens are made at the next start',
  });
}

/** Makes new tokens for the roles; those from before are worth nothing from then on. Answers all. */
export async function resetTokens(stateDir: string, roles: readonly Role[]): Promise<Tokens> {
  const before = await readTokens(stateDir);
  const fresh: Partial<Tokens> = Object.fromEntries(roles.map((role) => [role, newToken()]));
  const tokens: Tokens = { ...before, ...fresh };
  await writeJsonFile(tokensFile(stateDir), tokens);
  return tokens;
}

/** The token that folders before version 3 lack. */
export async function addMetricsToken(stateDir: string): Promise<void> {
  const { metrics } = await readTokens(stateDir);
  if (metrics === undefined) await resetTokens(stateDir, ['metrics']);
}

function tokensFile(stateDir: string): string {
  return join(stateDir, 'tokens.json');
}

async function stampOf(file: string): Promise<string> {
  const { ino, mtimeNs, size } = await stat(file, { bigint: true });
  return `${ino} ${mtimeNs} ${size}`;
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
