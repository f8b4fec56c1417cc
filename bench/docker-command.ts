import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MOST_OUTPUT = 2 ** 26;

/** The `docker` command as one types it; what it printed, trimmed. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { maxBuffer: MOST_OUTPUT });
  return stdout.trim();
}
