import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Windlass } from './windlass.ts';

/** What a hanging command has printed is then told by the test. */
const CLI_TIMEOUT_MS = 150_000;
const MAIN = resolve('apps/cli/main.ts');

type Installation = Pick<Windlass, 'url' | 'token' | 'folder'>;

export interface CliResult {
  code: number | null;
  out: string;
  notes: string;
}

/** The windlass command as a user of that installation runs it, to its end. */
export async function runCli(
  windlass: Installation,
  args: readonly string[],
  { input = '', cwd }: { input?: string; cwd?: string } = {},
): Promise<CliResult> {
  const env = environment(windlass);
  const child = spawn(process.execPath, [MAIN, ...args], {
    env,
    timeout: CLI_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
  });
  child.stdin.on('error', () => {
    // It ended without reading all of it.
  });
  child.stdin.end(input);
  const [out, notes] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, out, notes };
}

/** One that goes on until it is interrupted. */
export interface GoingCli {
  out(): string;
  notes(): string;
  /** Ctrl-C; answers its exit code. */
  interrupt(): Promise<number | null>;
}

export function startCli(windlass: Windlass, args: readonly string[]): GoingCli {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: environment(windlass),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, notes] = [collect(child.stdout), collect(child.stderr)];
  return {
    out,
    notes,
    async interrupt() {
      child.kill('SIGINT');
      return endOf(child);
    },
  };
}

/** The command on a terminal of 80 columns. */
export interface TerminalCli {
  output(this: void): string;
  type(this: void, keys: string): void;
  resize(this: void, columns: number, rows: number): Promise<void>;
  ended: Promise<number | null>;
}

/** By script(1), which every Debian has. */
export function openTerminal(windlass: Windlass, args: readonly string[]): TerminalCli {
  const device = join(windlass.folder, 'terminal');
  const quoted = [process.execPath, MAIN, ...args].map((arg) => `'${arg}'`).join(' ');
  const command = `stty cols 80 rows 24; tty > ${device}; exec ${quoted}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...environment(windlass), TERM: 'xterm-test', SHELL: '/bin/sh' },
  });
  return {
    output: collect(child.stdout),
    type: (keys) => void child.stdin.write(keys),
    async resize(columns, rows) {
      const name = (await readFile(device, 'utf8')).trim();
      const stty = spawn('stty', ['-F', name, 'cols', String(columns), 'rows', String(rows)]);
      await once(stty, 'close');
    },
    ended: endOf(child),
  };
}

function environment({ url, token, folder }: Installation): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    WINDLASS_URL: url,
    WINDLASS_TOKEN: token,
  };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let all = '';
  stream.on('data', (chunk: Buffer) => (all += chunk.toString('utf8')));
  return () => all;
}

async function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}
