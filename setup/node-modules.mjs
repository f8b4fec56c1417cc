// Plain JavaScript for any Node from 16 on: it runs before there is anything else.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, 'node_modules', '.bin', 'node');

/** Of the programs as the engine runs them: TypeScript is read, and the reader loaded, only the first time. */
export const compileCache = join(root, 'node_modules', '.cache', 'windlass');

const modules = join(root, 'node_modules');
const stamp = join(modules, '.windlass-setup');
const lockFile = join(root, 'package-lock.json');
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error'];
const LOCK_WAIT_MS = 600_000;
const LOCK_CHECK_MS = 200;

/** Makes node_modules fit package-lock.json. Two at once are safe: the second waits and finds it done. */
export function ensureNodeModules() {
  const wanted = digest(readFileSync(lockFile));
  if (fits(wanted)) return;
  const unlock = lock();
  try {
    if (fits(wanted)) return;
    if (!(existsSync(node) && isInstalled())) install();
    writeFileSync(stamp, wanted);
  } finally {
    unlock();
  }
}

/** MB of young objects, of which Node by itself takes 16 and more, and half of its memory with them. The Dockerfile says so too. */
const YOUNG = '--max-semi-space-size=4';

/** Runs a TypeScript program in the place of this process. */
export function runWithOwnNode(program, args) {
  const env = {
    NODE_COMPILE_CACHE: compileCache,
    ...process.env,
    PATH: `${dirname(node)}${delimiter}${process.env.PATH || ''}`,
  };
  const child = spawn(node, [YOUNG, program, ...args], { stdio: 'inherit', env });
  // A terminal sends Ctrl-C to the child too, which decides how to end; what is sent to this process alone is passed on.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot run ${node}: ${error.message}`, ''));
  child.on('exit', (code, signal) =>
    process.exit(code === null ? 128 + constants.signals[signal] : code),
  );
}

function fits(wanted) {
  return existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

/**
 * Whether what npm says it installed, by itself or by hand, is what package-lock.json asks for; in production, as npm does,
 * without what is for developers.
 */
function isInstalled() {
  const installed = join(modules, '.package-lock.json');
  if (!existsSync(installed)) return false;
  const { packages: present } = JSON.parse(readFileSync(installed, 'utf8'));
  const { packages: wanted } = JSON.parse(readFileSync(lockFile, 'utf8'));
  const isProduction = process.env.NODE_ENV === 'production';
  return Object.entries(wanted).every(
    ([path, { version, optional, dev }]) =>
      path === '' ||
      (present[path] === undefined
        ? optional === true || (isProduction && dev === true)
        : present[path].version === version),
  );
}

function install() {
  const begun = Date.now();
  const early = mkdtempSync(join(tmpdir(), 'windlass-node-'));
  try {
    run('npm', ['ci', ...QUIET], root, isOld() ? withNode(bringNode(early)) : {});
  } finally {
    rmSync(early, { recursive: true, force: true });
  }
  fetchProgram(root);
  if (!existsSync(node)) fail('npm has installed no Node 24: is `node` in node_modules/.bin?', '');
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  process.stderr.write(`installed the npm packages (${seconds} s)\n`);
}

/** npm leaves out, without a word, optional packages that are not for the Node it runs on. */
function isOld() {
  return Number(process.versions.node.split('.')[0]) < Number(nodeVersion().split('.')[0]);
}

function nodeVersion() {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages['node_modules/node'].version;
}

/** The folder with the program. */
function bringNode(folder) {
  run('npm', ['install', '--prefix', folder, `node@${nodeVersion()}`, ...QUIET], folder, {});
  fetchProgram(folder);
  return join(folder, 'node_modules', '.bin');
}

/** Where scripts are switched off in npm, the package `node` has not fetched its program yet. */
function fetchProgram(folder) {
  const bringer = join(folder, 'node_modules', 'node');
  if (existsSync(join(folder, 'node_modules', '.bin', 'node')) || !existsSync(bringer)) return;
  run(process.execPath, ['installArchSpecificPackage.js'], bringer, {});
}

/** Debian's npm finds its parts only by Debian's Node, or so. */
function withNode(folder) {
  return {
    PATH: [folder, process.env.PATH].join(delimiter),
    NODE_PATH: [process.env.NODE_PATH, '/usr/share/nodejs'].filter(Boolean).join(delimiter),
    NODE_NO_WARNINGS: '1',
  };
}

function run(command, args, cwd, more) {
  const env = { ...process.env, npm_config_ignore_scripts: 'false', ...more };
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 100_000_000,
  });
  if (error !== undefined) fail(`cannot run ${command}: ${error.message}`, '');
  if (status !== 0) fail(`\`${command} ${args.join(' ')}\` failed`, `${stdout}${stderr}`);
}

/** Outside node_modules, which npm deletes. */
function lock() {
  const folder = join(tmpdir(), `windlass-setup-${digest(root).slice(0, 16)}`);
  const deadline = Date.now() + LOCK_WAIT_MS;
  while (!take(folder)) {
    if (Date.now() > deadline) fail(`another setup holds ${folder} for too long`, '');
    sleep(LOCK_CHECK_MS);
  }
  return () => rmSync(folder, { recursive: true, force: true });
}

function take(folder) {
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (isAbandoned(join(folder, 'pid'))) rmSync(folder, { recursive: true, force: true });
  return false;
}

function isAbandoned(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (pid > 0) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function digest(content) {
  return createHash('sha256').update(content).digest('hex');
}

function fail(message, output) {
  if (output !== '') process.stderr.write(`${output.trimEnd()}\n`);
  process.stderr.write(`windlass: ${message}\n`);
  process.exit(1);
}
