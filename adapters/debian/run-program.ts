import { execFile } from 'node:child_process';

const LARGEST_OUTPUT = 50_000_000;

export interface ProgramRequest {
  command: string;
  args: readonly string[];
  cwd?: string;
  environment?: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal: AbortSignal;
}

/** What a program that ended badly printed. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
}

/** Runs a program to its end; answers what it printed to its standard output. */
export function runProgram(request: ProgramRequest): Promise<string> {
  const { command, args, cwd, environment, timeoutMs, signal } = request;
  const options = {
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...environment },
    ...(cwd === undefined ? {} : { cwd }),
    timeout: timeoutMs,
    killSignal: 'SIGKILL' as const,
    maxBuffer: LARGEST_OUTPUT,
    signal,
  };
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (signal.aborted) reject(signal.reason as Error);
      else {
        const why =
          error.killed === true
            ? `took longer than ${timeoutMs / 1_000} s`
            : tailOf(stderr || stdout || error.message);
        reject(
          new ProgramError(`\`${[command, ...args].join(' ')}\` failed: ${why}`, { cause: error }),
        );
      }
    });
  });
}

function tailOf(text: string): string {
  return text.trim().split('\n').slice(-5).join('\n');
}
