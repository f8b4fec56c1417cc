import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasApt, installPackages } from '#adapters/debian/apt.ts';
import { extractPackages } from '#adapters/debian/extract-packages.ts';
import { findOnPath } from '#adapters/debian/find-on-path.ts';
import { runProgram } from '#adapters/debian/run-program.ts';

const PYTHON = '/usr/bin/python3';
const TIMEOUT_MS = 300_000;
const PACKAGES = join(tmpdir(), 'windlass-test-tools', 'docker-compose');
/** What Debian's Compose 1.29 is made of beside Python. */
const PYTHON_MODULES = [
  'attr',
  'certifi',
  'chardet',
  'charset-normalizer',
  'distro',
  'docker',
  'dockerpty',
  'docopt',
  'dotenv',
  'idna',
  'jsonschema',
  'pyrsistent',
  'requests',
  'six',
  'texttable',
  'urllib3',
  'websocket',
  'yaml',
].map((name) => `python3-${name}`);

/** A Compose, by the words that come before its arguments. */
export interface Compose {
  version: string;
  command: string;
  args: readonly string[];
  environment: Record<string, string>;
}

/** Those that the machine has, and where it has none, the one of Debian's packages. */
export async function findComposes(): Promise<Compose[]> {
  const path = process.env['PATH'] ?? '';
  const docker = (await findOnPath('docker', path)) ?? 'docker';
  const own = (await findOnPath('docker-compose', path)) ?? 'docker-compose';
  const found = [
    await tell({ command: docker, args: ['compose'], environment: {} }),
    await tell({ command: own, args: [], environment: {} }),
  ].filter((compose) => compose !== undefined);
  const byVersion = new Map(found.map((compose) => [compose.version, compose]));
  if (found.length > 0 || !(await hasApt(path))) return [...byVersion.values()];
  const packed = await tell(await fromPackages());
  return packed === undefined ? [] : [packed];
}

async function fromPackages(): Promise<Omit<Compose, 'version'>> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  await extractPackages(['docker-compose', ...PYTHON_MODULES], PACKAGES, signal);
  const plugin = join(PACKAGES, 'usr/libexec/docker/cli-plugins/docker-compose');
  // Version 2 is one program; version 1 is Python.
  if (await isThere(plugin)) return { command: plugin, args: ['compose'], environment: {} };
  if (!(await hasWholePython(signal)))
    await installPackages(['python3', 'python3-distutils'], signal);
  const modules = join(PACKAGES, 'usr/lib/python3/dist-packages');
  return {
    command: PYTHON,
    args: [join(PACKAGES, 'usr/bin/docker-compose')],
    environment: { PYTHONPATH: modules },
  };
}

/** Debian has taken a part out of it that Compose needs. */
async function hasWholePython(signal: AbortSignal): Promise<boolean> {
  try {
    const args = ['-c', 'import distutils.spawn'];
    await runProgram({ command: PYTHON, args, timeoutMs: TIMEOUT_MS, signal });
    return true;
  } catch {
    return false;
  }
}

async function tell(compose: Omit<Compose, 'version'>): Promise<Compose | undefined> {
  const { command, args, environment } = compose;
  try {
    const version = await runProgram({
      command,
      args: [...args, 'version', '--short'],
      environment,
      timeoutMs: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { ...compose, version: version.trim() };
  } catch {
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
