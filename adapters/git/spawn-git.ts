import { spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import type { GitClient } from './client.ts';

const SILENCE_MS = 60_000;
const KILL_AFTER_MS = 2_000;
const ERROR_CHARACTERS = 16_000;

/**
 * Runs a git command; answers what it printed. Not through simple-git, which ends git alone on an abort, while a helper
 * that holds a connection lives on, and which waits 50 ms for output after each command that has none. This ends the
 * whole process group, and is done when it is gone.
 */
export function spawnGit(
  { folder, environment, signal, silenceMs = SILENCE_MS }: GitClient,
  args: readonly string[],
): Promise<string> {
  signal.throwIfAborted();
  const child = spawn('git', args, {
    cwd: folder,
    env: environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const decoder = new StringDecoder('utf8');
  let printed = '';
  let told = '';
  let silent = false;
  function end(): void {
    if (child.pid !== undefined) endGroup(child.pid);
  }
  const timer = setTimeout(() => {
    silent = true;
    end();
  }, silenceMs);
  signal.addEventListener('abort', end, { once: true });
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    timer.refresh();
    told = (told + decoder.write(chunk)).slice(-ERROR_CHARACTERS);
  });
  return new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (silent) reject(new Error('block timeout reached'));
      else if (code === 0) resolve(printed);
      else reject(new Error(told === '' ? `git ended with exit code ${code}` : told));
    });
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  });
}

/** Asked first, so that git takes its lock files away. */
function endGroup(pid: number): void {
  killGroup(pid, 'SIGTERM');
  setTimeout(() => killGroup(pid, 'SIGKILL'), KILL_AFTER_MS).unref();
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!gone) throw error;
  }
}
