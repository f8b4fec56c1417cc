import { UserError } from '#core/errors.ts';
import { openGit } from './client.ts';
import { gitEnvironment } from './environment.ts';
import { isCommitId } from './ref.ts';

type Machine = Readonly<Record<string, string | undefined>>;

export interface TreeFile {
  /** From the top of the repository. */
  path: string;
  /** `100644`, `100755`, `120000` (link) or `160000` (submodule). */
  mode: string;
  object: string;
  /** Bytes; 0 for a submodule. */
  size: number;
}

/** All files of a commit, in git's order, without checking anything out. */
export async function listFiles(
  folder: string,
  machine: Machine,
  commit: string,
  signal: AbortSignal,
): Promise<TreeFile[]> {
  checkObject(commit);
  const git = openGit({ folder, environment: gitEnvironment(machine), signal });
  return parseListing(await git.raw('ls-tree', '-r', '-l', '-z', commit));
}

/** `<mode> <type> <object> <size>\t<path>`, ended by NUL each. */
export function parseListing(listing: string): TreeFile[] {
  return listing
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const tab = line.indexOf('\t');
      const [mode = '', , object = '', size = ''] = line.slice(0, tab).split(/ +/);
      return { path: line.slice(tab + 1), mode, object, size: Number.parseInt(size, 10) || 0 };
    });
}

function checkObject(id: string): void {
  if (!isCommitId(id))
    throw new UserError('invalid-input', `${JSON.stringify(id)} is not a commit`);
}
