import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pMap from 'p-map';
import type { Sealer } from '#adapters/age/seal.ts';
import { openBare } from '#adapters/git/bare.ts';
import type { BareRepository } from '#adapters/git/bare.ts';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { isCommitId } from '#adapters/git/ref.ts';
import { Name } from '#core/declarations/pipeline.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { ServerApi } from '#core/ports.ts';
import type { Heads, RenderedEntry } from '#core/release/release.ts';
import { pathOf } from '#core/render.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { authorParts, releaseMessage } from './message.ts';
import { releasedImages } from './released-images.ts';
import { branchRef as branchOf, healthyRef, readHeads, readLog, servedRef } from './release-log.ts';
import type { LoggedRelease } from './release-log.ts';

const PATH = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** Each is a process of git. */
const READ_AT_ONCE = 4;
const BOT = { name: 'Windlass', email: 'windlass@localhost' };

/** One bare repository per pipeline, one branch per deploy entry, its head the desired state. */
export interface Releases extends Omit<ServerApi, 'identity' | 'byHand' | 'keptImages' | 'answer'> {
  /** Newest first. */
  history(pipeline: string, entry: string, limit: number): Promise<LoggedRelease[]>;
  head(pipeline: string, entry: string): Promise<LoggedRelease | undefined>;
  /** Releases that brought a resource in another form than before, newest first, with the resource as it is kept. */
  changesOf(
    pipeline: string,
    entry: string,
    key: ResourceKey,
    limit: number,
  ): Promise<{ release: LoggedRelease; text: string }[]>;
  /** As they are kept: Secret values sealed. */
  sealed(pipeline: string, commit: string): Promise<Record<string, string>>;
  /** Seals manifests like those that the entry's head has. */
  seal(
    pipeline: string,
    entry: string,
    manifests: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>>;
  /** Whether any release was made from the source's commit. */
  namesSource(pipeline: string, commit: string): Promise<boolean>;
  /** Forgets what a finished run rendered, and that it released it. */
  forgetRendered(pipeline: string, runId: string): Promise<void>;
  /** References of the images that releases name: of the newest so many of each entry of a pipeline. */
  keptImages(releasesOf: (pipeline: string) => number, signal: AbortSignal): Promise<string[]>;
  folderOf(pipeline: string): string;
}

export interface ReleasesDependencies {
  /** Holds one `<pipeline>.git` each. */
  root: string;
  machine: Readonly<Record<string, string | undefined>>;
  sealer: Sealer;
  run: (id: string) => Promise<Run | undefined>;
  /** Entries of declared pipelines on the cluster. */
  entriesOn: (cluster: string) => Promise<{ pipeline: string; entry: string }[]>;
  /** Who wrote a source's commit, as `Name <address>`, where that is known here. */
  authorOf: (pipeline: string, commit: string) => Promise<string | undefined>;
  /** Throws where nothing is to be released at that entry for now. */
  checkMayRelease: (pipeline: string, entry: string) => void;
}

export function createReleases(dependencies: ReleasesDependencies): Releases {
  const { root, machine, sealer, run: findRun, entriesOn, authorOf } = dependencies;
  const lock = createKeyedLock();
  /** Of those that nothing was written to since. */
  const heads = new Map<string, Promise<ReadonlyMap<string, LoggedRelease>>>();
  const images = new Map<string, { releases: number; references: string[] }>();

  function folderOf(pipeline: string): string {
    checkName(pipeline);
    return join(root, `${pipeline}.git`);
  }

  function open(pipeline: string): BareRepository {
    return openBare(folderOf(pipeline), machine);
  }

  function locked<T>(
    pipeline: string,
    signal: AbortSignal,
    use: (repository: BareRepository) => Promise<T>,
  ): Promise<T> {
    const repository = open(pipeline);
    return lock(pipeline, signal, async () => {
      await repository.create();
      images.delete(pipeline);
      try {
        return await use(repository);
      } finally {
        heads.delete(pipeline);
      }
    });
  }

  async function knownRun(id: string): Promise<Run> {
    const run = await findRun(id);
    if (run === undefined) throw new UserError('not-found', `run ${id} is not known`);
    return run;
  }

  async function sealed(pipeline: string, commit: string): Promise<Record<string, string>> {
    if (!isCommitId(commit))
      throw new UserError('invalid-input', `${JSON.stringify(commit)} is not a commit`);
    const repository = open(pipeline);
    if (!(await repository.exists())) throw unknownRelease(pipeline, commit);
    return repository.files(commit).catch((error: unknown) => {
      throw unknownRelease(pipeline, commit, error);
    });
  }

  async function imagesOf(pipeline: string, releases: number): Promise<string[]> {
    const known = images.get(pipeline);
    if (known?.releases === releases) return known.references;
    const references = await releasedImages(open(pipeline), releases);
    images.set(pipeline, { releases, references });
    return references;
  }

  function headsOf(pipeline: string): Promise<ReadonlyMap<string, LoggedRelease>> {
    const known = heads.get(pipeline);
    if (known !== undefined) return known;
    const reading = readHeads(open(pipeline));
    heads.set(pipeline, reading);
    reading.catch(() => heads.delete(pipeline));
    return reading;
  }

  async function head(pipeline: string, entry: string): Promise<LoggedRelease | undefined> {
    return (await headsOf(pipeline)).get(entry);
  }

  async function sealEntry(
    pipeline: string,
    entry: string,
    manifests: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    return sealer.seal(manifests, async () => {
      const before = await open(pipeline).resolve(branchRef(entry));
      return before === undefined ? {} : sealed(pipeline, before);
    });
  }

  return {
    folderOf,
    head,
    sealed,
    seal: sealEntry,
    async storeRendered(runId, entries, signal) {
      const run = await knownRun(runId);
      const written: RenderedEntry[] = [];
      for (const { entry, manifests } of entries) {
        checkName(entry);
        for (const path of Object.keys(manifests)) checkPath(path);
        written.push({ entry, manifests: await sealEntry(run.pipeline, entry, manifests) });
      }
      await locked(run.pipeline, signal, async (repository) => {
        const input = written.map((each) => importCommands(runId, each)).join('');
        await repository.git(['fast-import', '--quiet', '--force'], { input });
      });
    },
    async release(runId, entry, signal) {
      const run = await knownRun(runId);
      if (!run.deploys.some((deploy) => deploy.entry === entry))
        throw new UserError('not-found', `run ${runId} has no deploy entry ${entry}`);
      const author =
        run.restores === undefined ? await authorOf(run.pipeline, run.commit) : undefined;
      return locked(run.pipeline, signal, (repository) =>
        releaseRun(repository, run, entry, {
          author: author ?? run.trigger.who,
          check: () => dependencies.checkMayRelease(run.pipeline, entry),
        }),
      );
    },
    restore: (pipeline, entry, failed, reason, signal) =>
      locked(pipeline, signal, (repository) => restore(repository, entry, failed, reason)),
    markHealthy: (pipeline, entry, commit, signal) =>
      locked(pipeline, signal, (repository) => markHealthy(repository, pipeline, entry, commit)),
    async heads(cluster) {
      const entries = await entriesOn(cluster);
      const unreadable: Heads['unreadable'] = [];
      const found = await pMap(
        entries,
        ({ pipeline, entry }) =>
          head(pipeline, entry).catch((error: unknown) => {
            unreadable.push({ pipeline, entry, reason: messageOf(error) });
          }),
        { concurrency: READ_AT_ONCE },
      );
      return { releases: found.filter((each) => each !== undefined), unreadable };
    },
    manifests: async (pipeline, commit) => sealer.open(await sealed(pipeline, commit)),
    open: (manifests) => sealer.open(manifests),
    async history(pipeline, entry, limit) {
      const repository = open(pipeline);
      if ((await repository.resolve(branchRef(entry))) === undefined) return [];
      return readLog(repository, entry, [`--max-count=${limit}`, branchRef(entry)]);
    },
    async changesOf(pipeline, entry, key, limit) {
      const repository = open(pipeline);
      if ((await repository.resolve(branchRef(entry))) === undefined) return [];
      const path = pathOf(key);
      const selection = [`--max-count=${limit}`, '--diff-filter=AM', branchRef(entry)];
      const changes = await readLog(repository, entry, selection, [path]);
      return Promise.all(
        changes.map(async (release) => ({
          release,
          text: await repository.git(['cat-file', 'blob', `${release.commit}:${path}`]),
        })),
      );
    },
    async namesSource(pipeline, commit) {
      const repository = open(pipeline);
      if (!(await repository.exists())) return false;
      const found = await repository.git([
        'log',
        '--max-count=1',
        '--format=%H',
        '--fixed-strings',
        `--grep=Source-Commit: ${commit}`,
        '--branches',
      ]);
      return found !== '';
    },
    async keptImages(releasesOf, signal) {
      const names = await readdir(root).catch(() => []);
      const pipelines = names
        .filter((name) => name.endsWith('.git'))
        .map((name) => name.slice(0, -'.git'.length));
      const found: string[] = [];
      for (const pipeline of pipelines) {
        found.push(
          ...(await lock(pipeline, signal, () => imagesOf(pipeline, releasesOf(pipeline)))),
        );
      }
      return [...new Set(found)];
    },
    async forgetRendered(pipeline, runId) {
      if (!(await open(pipeline).exists())) return;
      await locked(pipeline, AbortSignal.timeout(60_000), async (repository) => {
        const refs = await repository.git([
          'for-each-ref',
          '--format=delete %(refname)',
          `refs/windlass/rendered/${runId}/`,
          `refs/windlass/released/${runId}/`,
        ]);
        if (refs !== '') await repository.git(['update-ref', '--stdin'], { input: refs });
      });
    },
  };
}

async function headOf(
  repository: BareRepository,
  entry: string,
): Promise<LoggedRelease | undefined> {
  const commit = await repository.resolve(branchRef(entry));
  return commit === undefined ? undefined : readOne(repository, entry, commit);
}

async function releaseRun(
  repository: BareRepository,
  run: Run,
  entry: string,
  { author, check }: { author: string; check: () => void },
): Promise<LoggedRelease> {
  const [branch, released, rendered] = [
    branchRef(entry),
    releasedRef(run.id, entry),
    renderedRef(run.id, entry),
  ];
  const refs = await repository.refs([branch, released, rendered]);
  const made = refs.get(released);
  const release = made === undefined ? undefined : await readOne(repository, entry, made.commit);
  if (release !== undefined) return release;
  if (isFinished(run))
    throw new UserError('conflict', `run ${run.id} is ${run.state}: it is not released any more`);
  check();
  const old =
    run.restores === undefined ? undefined : await oldRelease(repository, entry, run.restores);
  const tree = old?.tree ?? refs.get(rendered)?.tree;
  if (tree === undefined) {
    throw new UserError('not-found', `what run ${run.id} rendered for ${entry} is not there`, {
      hint: `build it again: windlass retry ${run.id}`,
    });
  }
  const message = releaseMessage(
    old === undefined
      ? (run.subject ?? `Release ${run.commit.slice(0, 12)}`)
      : `Bring back ${old.commit.slice(0, 12)}: ${old.subject}`,
    {
      Pipeline: run.pipeline,
      Run: run.id,
      'Source-Commit': old?.source ?? run.commit,
      'Source-Ref': old?.sourceRef ?? run.trigger.ref,
      Restores: old?.commit,
      'Pushed-By': run.trigger.who,
    },
  );
  const before = refs.get(branch)?.commit;
  return commitTo(repository, entry, {
    tree,
    before,
    message,
    author: authorParts(author),
    released,
  });
}

async function restore(
  repository: BareRepository,
  entry: string,
  failed: string,
  reason: string,
): Promise<LoggedRelease | undefined> {
  const current = await headOf(repository, entry);
  if (current === undefined) return undefined;
  if (current.commit !== failed) return current.failed === failed ? current : undefined;
  const commit = await repository.resolve(healthyRef(entry));
  if (commit === undefined) return undefined;
  const healthy = await readOne(repository, entry, commit);
  if (healthy === undefined || healthy.tree === current.tree) return undefined;
  const why = reason.split('\n')[0]?.slice(0, 200) ?? '';
  const message = releaseMessage(`Restore ${healthy.commit.slice(0, 12)}: ${why}`, {
    Pipeline: healthy.pipeline,
    'Source-Commit': healthy.source,
    'Source-Ref': healthy.sourceRef,
    Restores: healthy.commit,
    Failed: failed,
  });
  return commitTo(repository, entry, { tree: healthy.tree, before: failed, message, author: BOT });
}

async function markHealthy(
  repository: BareRepository,
  pipeline: string,
  entry: string,
  commit: string,
): Promise<void> {
  const head = await repository.resolve(branchRef(entry));
  if (!isCommitId(commit) || head === undefined || !(await contains(repository, head, commit)))
    throw unknownRelease(pipeline, commit);
  const before = await repository.resolve(healthyRef(entry));
  await repository.git(['update-ref', servedRef(entry, commit), commit]);
  if (before !== undefined && (await contains(repository, before, commit))) return;
  await repository.update(healthyRef(entry), commit, before ?? '');
}

interface NewCommit {
  tree: string;
  before: string | undefined;
  message: string;
  author: { name: string; email: string };
  /** A ref that is to tell which commit it was. */
  released?: string;
}

async function commitTo(
  repository: BareRepository,
  entry: string,
  { tree, before, message, author, released }: NewCommit,
): Promise<LoggedRelease> {
  const parents = before === undefined ? [] : ['-p', before];
  const made = await repository.git(['commit-tree', tree, ...parents], {
    input: message,
    environment: {
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_COMMITTER_NAME: BOT.name,
      GIT_COMMITTER_EMAIL: BOT.email,
    },
  });
  const commit = made.trim();
  const moves = [
    `update ${branchRef(entry)} ${commit} ${before ?? '0'.repeat(commit.length)}\n`,
    ...(released === undefined ? [] : [`update ${released} ${commit}\n`]),
  ];
  await repository.git(['update-ref', '--stdin'], { input: moves.join('') });
  const release = await readOne(repository, entry, commit);
  if (release === undefined) throw new Error(`release ${commit} cannot be read back`);
  return release;
}

async function readOne(
  repository: BareRepository,
  entry: string,
  commit: string,
): Promise<LoggedRelease | undefined> {
  return (await readLog(repository, entry, ['--max-count=1', commit]))[0];
}

async function oldRelease(
  repository: BareRepository,
  entry: string,
  { release }: { release: string },
): Promise<LoggedRelease> {
  const head = await repository.resolve(branchRef(entry));
  const known =
    head !== undefined && isCommitId(release) && (await contains(repository, head, release));
  const old = known ? await readOne(repository, entry, release) : undefined;
  if (old === undefined)
    throw new UserError('not-found', `${release} is no release of the entry ${entry}`);
  return old;
}

async function contains(
  repository: BareRepository,
  head: string,
  commit: string,
): Promise<boolean> {
  if (head === commit) return true;
  return repository.git(['merge-base', '--is-ancestor', commit, head]).then(
    () => true,
    () => false,
  );
}

/** One commit without parents at the run's ref, in the language of `git fast-import`. */
function importCommands(runId: string, { entry, manifests }: RenderedEntry): string {
  const files = Object.entries(manifests).map(
    ([path, text]) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`,
  );
  const message = `Rendered by run ${runId}\n`;
  return [
    `commit ${renderedRef(runId, entry)}\n`,
    `committer ${BOT.name} <${BOT.email}> 0 +0000\n`,
    `data ${Buffer.byteLength(message)}\n${message}\n`,
    ...files,
    '\n',
  ].join('');
}

function branchRef(entry: string): string {
  checkName(entry);
  return branchOf(entry);
}

function renderedRef(runId: string, entry: string): string {
  return `refs/windlass/rendered/${runId}/${entry}`;
}

/** The commit by which a run under way released the entry, so that it is made once. */
function releasedRef(runId: string, entry: string): string {
  return `refs/windlass/released/${runId}/${entry}`;
}

function checkName(name: string): void {
  if (!Name.safeParse(name).success)
    throw new UserError('invalid-input', `${JSON.stringify(name)} is not a name`);
}

function checkPath(path: string): void {
  if (!PATH.test(path))
    throw new UserError('invalid-input', `${JSON.stringify(path)} is not a path of a release`);
}

function unknownRelease(pipeline: string, commit: string, cause?: unknown): UserError {
  return new UserError('not-found', `${commit} is no release of ${pipeline}`, { cause });
}
