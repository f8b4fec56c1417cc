#!/usr/bin/env node
// Plain JavaScript for any Node: brings the TypeScript programs up with a Node that runs them unbuilt.
import module from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  compileCache,
  ensureNodeModules,
  root,
  runWithOwnNode,
} from '../../setup/node-modules.mjs';

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
  ensureNodeModules();
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) {
    module.enableCompileCache(process.env.NODE_COMPILE_CACHE || compileCache);
    process.argv = [process.argv[0], program, ...args];
    await import(pathToFileURL(program).href);
    return;
  }
  runWithOwnNode(program, args);
}

const [program, args] = programOf(process.argv.slice(2));
await run(join(root, program), args);
