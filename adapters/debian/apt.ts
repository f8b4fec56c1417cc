import { UserError } from '#core/errors.ts';
import { findOnPath } from './find-on-path.ts';
import { ProgramError, runProgram } from './run-program.ts';

const QUERY_TIMEOUT_MS = 60_000;
const UPDATE_TIMEOUT_MS = 300_000;
const DOWNLOAD_TIMEOUT_MS = 600_000;
const INSTALL_TIMEOUT_MS = 900_000;
const LOCK_WAIT = ['-o', 'DPkg::Lock::Timeout=300'];
/** What dependencies name only for their scripts, which are not run when a package is merely taken apart. */
const FOR_SCRIPTS = /perl|^libpam|^libsemanage|^libsepol|^libaudit|^libdb5|^libgdbm/;

/** Whether packages can be had here: Debian, Ubuntu and what is made of them. */
export async function hasApt(path: string): Promise<boolean> {
  const tools = await Promise.all(['apt-get', 'dpkg-deb'].map((tool) => findOnPath(tool, path)));
  return tools.every((tool) => tool !== undefined);
}

/** Downloads packages, and the libraries they depend on, into `folder`. Nothing is installed. */
export function downloadPackages(
  packages: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  return withFreshLists(signal, async () => {
    const names = await withLibraries(packages, folder, signal);
    await runProgram({
      command: 'apt-get',
      args: ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...names],
      cwd: folder,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      signal,
    });
  });
}

export function installPackages(packages: readonly string[], signal: AbortSignal): Promise<void> {
  return withFreshLists(signal, async () => {
    await runProgram({
      command: 'apt-get',
      args: ['install', '-y', '-qq', '--no-install-recommends', ...LOCK_WAIT, ...packages],
      timeoutMs: INSTALL_TIMEOUT_MS,
      signal,
    });
  });
}

/** With an empty status file apt names every dependency, those too that are installed. */
async function withLibraries(
  packages: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  const options = [
    'Dir::State::status=/dev/null',
    `Dir::Cache::archives=${folder}/`,
    'Debug::NoLocking=1',
  ];
  const printed = await runProgram({
    command: 'apt-get',
    args: [
      'install',
      '-qq',
      '--no-install-recommends',
      '--print-uris',
      ...options.flatMap((option) => ['-o', option]),
      ...packages,
    ],
    timeoutMs: QUERY_TIMEOUT_MS,
    signal,
  });
  const names = packageNames(printed).filter(
    (name) => /^lib|^zlib/.test(name) && !FOR_SCRIPTS.test(name),
  );
  return [...new Set([...packages, ...names])];
}

/** The second field of each line is the file a package would be kept as: `name_version_architecture.deb`. */
function packageNames(printed: string): string[] {
  return printed
    .split('\n')
    .map((line) => /^'[^']+' ([^_ ]+)_/.exec(line)?.[1])
    .filter((name) => name !== undefined);
}

/** Lists may be missing, or older than what the mirror still has: they are fetched once, and the work tried again. */
async function withFreshLists(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    await tell(async () => {
      await runProgram({
        command: 'apt-get',
        args: ['update', '-qq', ...LOCK_WAIT],
        timeoutMs: UPDATE_TIMEOUT_MS,
        signal,
      });
      await work();
    });
  }
}

async function tell(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw new UserError('unavailable', error.message, {
      cause: error,
      hint: 'are the package sources in /etc/apt reachable, and do you have the rights of root?',
    });
  }
}
