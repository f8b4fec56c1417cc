import { homedir } from 'node:os';
import { join } from 'node:path';
import type { CliContext } from './context.ts';
import { runCli } from './program.ts';
import { processTerminal } from './process-terminal.ts';
import { readSecret } from './read-secret.ts';

const { env, stdout, stderr } = process;
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
// A reader that has seen enough, as in `windlass runs | head`.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const url = env['WINDLASS_URL'];
const token = env['WINDLASS_TOKEN'];
const stateDir = env['WINDLASS_STATE'];
const context: CliContext = {
  cwd: process.cwd(),
  configFile: join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'windlass', 'config.json'),
  ...(stateDir ? { stateDir } : {}),
  machine: env,
  ...(url && token ? { server: { url, token } } : {}),
  out: (line) => stdout.write(`${line}\n`),
  note: (line) => stderr.write(`${line}\n`),
  colour: stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
  readSecret,
  terminal: processTerminal(env['TERM'] || 'xterm'),
  now: Date.now,
  signal: interrupted.signal,
  setExitCode: () => {},
};
process.exitCode = await runCli(process.argv.slice(2), context);
