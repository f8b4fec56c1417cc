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

/** Reads commits of a repository without checking anything out. */
export interface TreeReader {
  /** The commit a ref points to; absent where there is no such ref. */
  resolve(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** All files below `folder` (`''` = everything), in git's order. */
  files(commit: string, folder: string, signal: AbortSignal): Promise<TreeFile[]>;
  /** The text of an object. */
  text(object: string, signal: AbortSignal): Promise<string>;
}

export function createTreeReader(folder: string, machine: Machine): TreeReader {
  function git(signal: AbortSignal): ReturnType<typeof openGit> {
    return openGit({ folder, environment: gitEnvironment(machine), signal });
  }
  return {
    resolve: async (name, signal) => {
      const found = await git(signal).raw('for-each-ref', '--format=%(objectname)', name);
      return found.split('\n').find((line) => line !== '');
    },
    files: async (commit, inside, signal) => {
      checkObject(commit);
      const paths = inside === '' || inside === '.' ? [] : [`:(literal)${inside}`];
      const listing = await git(signal).raw('ls-tree', '-r', '-l', '-z', commit, '--', ...paths);
      return parseListing(listing);
    },
    text: async (object, signal) => {
      checkObject(object);
      return git(signal).raw('cat-file', 'blob', object);
    },
  };
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
