import type { Terminal } from './terminal.ts';

/** All that commands know of the world, so that tests can give them another one. */
export interface CliContext {
  /** The folder that the command was called in. */
  cwd: string;
  /** Where the login is kept. */
  configFile: string;
  /** From the environment: the server's state folder, where this is its machine. */
  stateDir?: string;
  /** The environment, of which git inherits a part. */
  machine: Readonly<Record<string, string | undefined>>;
  /** From the environment: takes precedence over login and state folder. */
  server?: { url: string; token: string };
  /** A line to standard output. */
  out(line: string): void;
  /** A line to standard error: progress and hints, never a result. */
  note(line: string): void;
  /** Whether standard output takes colours. */
  colour: boolean;
  /** Asks without echo on a terminal, else reads standard input to its end. */
  readSecret(prompt: string): Promise<string>;
  /** The process' own input and output, for commands that run elsewhere. */
  terminal: Terminal;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** What the process will exit with unless an error is thrown. */
  setExitCode(code: number): void;
}
