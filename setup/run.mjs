// Runs a TypeScript program of the project with the Node that npm brings: `node setup/run.mjs <program> [args]`.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ensureNodeModules, node, root } from './node-modules.mjs';

const [program, ...args] = process.argv.slice(2);
ensureNodeModules();

const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
const child = spawn(node, [join(root, program), ...args], { stdio: 'inherit', env });
// A terminal sends Ctrl-C to the child too, which decides how to end; what is sent to this process alone is passed on.
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) child.kill('SIGINT');
});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`windlass: cannot run ${node}: ${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
