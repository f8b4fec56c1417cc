import { readFile } from 'node:fs/promises';
import { runProgram } from '#adapters/debian/run-program.ts';

const PS_TIMEOUT_MS = 5_000;

/** When a process began, in words of the machine; with its pid it means that process and no other. */
export async function startOf(pid: number): Promise<string | undefined> {
  if (!isAlive(pid)) return undefined;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The program's name, in parentheses, may hold anything; state is field 3 and the start is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${await bootId()}:${fields[19]}`;
  } catch {
    return startByPs(pid);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

async function startByPs(pid: number): Promise<string | undefined> {
  const signal = AbortSignal.timeout(PS_TIMEOUT_MS);
  const args = ['-o', 'lstart=', '-p', String(pid)];
  try {
    const printed = await runProgram({ command: 'ps', args, timeoutMs: PS_TIMEOUT_MS, signal });
    return printed.trim() === '' ? undefined : printed.trim();
  } catch {
    return undefined;
  }
}
