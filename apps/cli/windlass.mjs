#!/usr/bin/env node
// Plain JavaScript for any Node: brings the TypeScript programs up with a Node that runs them unbuilt.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_NODE = 24;
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Program and arguments of a role; everything else is the CLI's. */
function programOf([role, kind, ...rest]) {
  if (role === 'server') return ['apps/server/main.ts', present([kind, ...rest])];
  if (role === 'start') return ['apps/start/main.ts', present([kind, ...rest])];
  if (role === 'worker' && (kind === 'build' || kind === 'deploy')) {
    return [`workers/${kind}/main.ts`, rest];
  }
  return ['apps/cli/main.ts', present([role, kind, ...rest])];
}

function present(args) {
  return args.filter((arg) => arg !== undefined);
}

async function run(program, args) {
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) {
    process.argv = [process.argv[0], program, ...args];
    await import(pathToFileURL(program).href);
    return;
  }
  const node = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(node)) {
    console.error(
      `windlass needs Node ${OLDEST_NODE}, and this is ${process.version}: run \`npm install\` in ${root}, which brings it`,
    );
    process.exit(1);
  }
  const child = spawn(node, [program, ...args], { stdio: 'inherit' });
  // The terminal sends its signals to the child too, which decides how to end; others are passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

const [program, args] = programOf(process.argv.slice(2));
await run(join(root, program), args);
