// Runs a TypeScript program of the project with the Node that npm brings: `node setup/run.mjs <program> [args]`.
import { join } from 'node:path';
import { ensureNodeModules, root, runWithOwnNode } from './node-modules.mjs';

const [program, ...args] = process.argv.slice(2);
ensureNodeModules();
runWithOwnNode(join(root, program), args);
