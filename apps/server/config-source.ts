import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openBare } from '#adapters/git/bare.ts';
import { gitEnvironment } from '#adapters/git/environment.ts';
import { explainFetch, redactUrl } from '#adapters/git/explain.ts';
import { spawnGit } from '#adapters/git/spawn-git.ts';
import type { ConfigView } from '#core/api/pipeline.ts';
import type { Declarations } from '#core/declarations/declarations.ts';
import { parseDeclarations } from '#core/declarations/parse.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import { formatProblem, InvalidFiles, messageOf, UserError } from '#core/errors.ts';
import { isAlike } from './is-alike.ts';
import { readDeclaredFiles } from './git/repositories.ts';

/** In the place of a folder or a URL: the repository on this server itself. */
export const BUILT_IN_CONFIG = '/git/config.git';

/** What is declared. The last valid version stays in force while a newer one is not. */
export interface ConfigSource {
  /** Nothing at all where nothing is known. */
  declarations(): Declarations;
  /** Whether anything is in force; not where nothing valid was ever seen. Then nothing may be taken for gone. */
  isKnown(): boolean;
  view(): ConfigView;
  /** Looks whether there is something new; answers whether what is in force changed. */
  refresh(signal: AbortSignal): Promise<boolean>;
  /** How long between looks. */
  readonly pollMs: number;
}

export interface ConfigSourceDependencies {
  config: string;
  /** Holds `config.git`, and the copy of a remote one. */
  gitRoot: string;
  machine: Readonly<Record<string, string | undefined>>;
  /** What was in force last; absent where that is not known. */
  last: Declarations | undefined;
  now: () => number;
  log: Logger;
}

interface Version {
  id: string;
  commit?: string;
  files: SourceFile[];
}

const SETTLE_MS = 250;
const NOTHING: Declarations = { pipelines: {}, clusters: {} };

type ReadVersion = (signal: AbortSignal) => Promise<Version | undefined>;

/** Refuses a local folder that is invalid at the start; git's last valid version stays in force. */
export async function openConfigSource(
  dependencies: ConfigSourceDependencies,
  signal: AbortSignal,
): Promise<ConfigSource> {
  const { config, last, now, log } = dependencies;
  const read = reader(dependencies);
  const isFolder = config !== BUILT_IN_CONFIG && !isUrl(config);
  let current = isFolder ? undefined : last;
  let seen = '';
  let commit: string | undefined;
  let problems: string[] = [];
  let since: number | undefined;

  function take(version: Version): boolean {
    const parsed = parseDeclarations(version.files);
    if (parsed.problems.length > 0) throw new InvalidFiles(parsed.problems);
    const changed = JSON.stringify(parsed.declarations) !== JSON.stringify(current);
    current = parsed.declarations;
    seen = version.id;
    commit = version.commit;
    return changed;
  }

  function tell(found: string[]): void {
    const isNew = found.length > 0 && !isAlike(found.join('\n'), problems.join('\n'));
    problems = found;
    since = found.length === 0 ? undefined : (since ?? now());
    if (!isNew) return;
    const instead =
      current === undefined
        ? 'no valid one is known, so nothing is changed'
        : 'the last valid one stays in force';
    log.warn({ problems }, `the configuration is not taken; ${instead}`);
  }

  /** A file that is being saved is empty for a moment, which says something quite different. */
  async function readSettled(untilAborted: AbortSignal): Promise<Version | undefined> {
    let version = await read(untilAborted);
    while (isFolder && version?.id !== seen) {
      await sleep(SETTLE_MS, undefined, { signal: untilAborted });
      const again = await read(untilAborted);
      if (again?.id === version?.id) return again;
      version = again;
    }
    return version;
  }

  async function refresh(untilAborted: AbortSignal): Promise<boolean> {
    try {
      const version = await readSettled(untilAborted);
      const changed = version !== undefined && version.id !== seen && take(version);
      tell([]);
      return changed;
    } catch (error) {
      untilAborted.throwIfAborted();
      if (!(error instanceof UserError)) throw error;
      tell(error instanceof InvalidFiles ? error.problems.map(formatProblem) : [messageOf(error)]);
      return false;
    }
  }

  if (isFolder) {
    const version = await read(signal);
    if (version !== undefined) take(version);
  } else {
    await refresh(signal);
    // Nothing was ever pushed, which declares nothing.
    if (seen === '' && problems.length === 0) current = NOTHING;
  }
  return {
    declarations: () => current ?? NOTHING,
    isKnown: () => current !== undefined,
    view: () => ({
      source: redactUrl(config),
      ...(commit === undefined ? {} : { commit }),
      pipelines: Object.keys((current ?? NOTHING).pipelines),
      clusters: Object.keys((current ?? NOTHING).clusters),
      problems,
      ...(since === undefined ? {} : { problemsSince: since }),
    }),
    refresh,
    pollMs: isUrl(config) ? 60_000 : 2_000,
  };
}

/** Every problem of the files as a whole configuration; the lines begin with `file:line:column`. */
export function checkConfig(files: readonly SourceFile[]): string[] {
  return parseDeclarations(files).problems.map(formatProblem);
}

function reader({ config, gitRoot, machine }: ConfigSourceDependencies): ReadVersion {
  if (config === BUILT_IN_CONFIG) return () => readGit(join(gitRoot, 'config.git'), machine);
  if (!isUrl(config)) return () => readFolder(resolve(config));
  const folder = join(gitRoot, 'config-copy.git');
  return async (signal) => {
    const repository = openBare(folder, machine);
    await repository.create();
    try {
      const client = { folder, environment: gitEnvironment(machine), signal };
      await spawnGit(client, ['fetch', '--force', '--no-tags', config, '+HEAD:refs/heads/main']);
    } catch (error) {
      signal.throwIfAborted();
      throw explainFetch(config, error);
    }
    return readGit(folder, machine);
  };
}

async function readGit(
  folder: string,
  machine: ConfigSourceDependencies['machine'],
): Promise<Version | undefined> {
  const repository = openBare(folder, machine);
  const commit = await repository.resolve('refs/heads/main');
  if (commit === undefined) return undefined;
  return { id: commit, commit, files: await readDeclaredFiles(repository, commit, {}) };
}

/** `pipelines/*.yaml` of the folder, or its own where it has no such folder. */
async function readFolder(folder: string): Promise<Version> {
  const inside = join(folder, 'pipelines');
  const names = await readdir(inside).catch(() => undefined);
  const from = names === undefined ? folder : inside;
  const found = names ?? (await list(folder));
  const yaml = found.filter((name) => /\.ya?ml$/.test(name)).toSorted();
  const files = await Promise.all(
    yaml.map(async (name) => ({
      path: join(from, name),
      text: await readFile(join(from, name), 'utf8'),
    })),
  );
  const id = createHash('sha256').update(JSON.stringify(files)).digest('hex');
  return { id, files };
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw new UserError(
      'not-found',
      `the configuration folder cannot be read: ${messageOf(error)}`,
      {
        hint: 'WINDLASS_CONFIG names a folder with pipelines/*.yaml, a git URL or /git/config.git',
      },
    );
  }
}

function isUrl(config: string): boolean {
  return config !== BUILT_IN_CONFIG && /^[a-z+]+:\/\/|^[\w.-]+@[\w.-]+:/.test(config);
}
