#!/usr/bin/env node
// Plain JavaScript for any Node: brings the TypeScript programs up with a Node that runs them unbuilt.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureNodeModules, node, root } from '../../setup/node-modules.mjs';

const OLDEST_NODE = 24;

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
  if (!existsSync(node)) ensureNodeModules();
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) {
    process.argv = [process.argv[0], program, ...args];
    await import(pathToFileURL(program).href);
    return;
  }
  const child = spawn(node, [program, ...args], { stdio: 'inherit' });
  // The terminal sends Ctrl-C to the child too, which decides how to end; other signals are passed on.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

const [program, args] = programOf(process.argv.slice(2));
await run(join(root, program), args);
