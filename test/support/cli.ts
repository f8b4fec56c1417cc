import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Windlass } from './windlass.ts';

export interface CliResult {
  code: number | null;
  out: string;
  notes: string;
}

/** The windlass command as a user of that installation runs it, to its end. */
export async function runCli(
  { url, token, folder }: Windlass,
  args: readonly string[],
  input = '',
): Promise<CliResult> {
  const child = spawn(process.execPath, ['apps/cli/main.ts', ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      WINDLASS_URL: url,
      WINDLASS_TOKEN: token,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input);
  const [out, notes] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, out, notes };
}
