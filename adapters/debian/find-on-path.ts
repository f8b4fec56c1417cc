import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Where servers are that an ordinary user's PATH leaves out. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The full path of a program, looked up as a shell does; absent where there is none. */
export async function findOnPath(program: string, path: string): Promise<string | undefined> {
  for (const folder of [...path.split(delimiter), ...SYSTEM_FOLDERS]) {
    if (folder === '') continue;
    const file = join(folder, program);
    if (await isExecutable(file)) return file;
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
