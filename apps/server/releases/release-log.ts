import type { BareRepository } from '#adapters/git/bare.ts';
import type { Release } from '#core/release/release.ts';

const FIELDS = [
  '%H',
  '%T',
  '%an <%ae>',
  '%ct',
  '%s',
  ...['Pipeline', 'Run', 'Source-Commit', 'Source-Ref', 'Restores', 'Failed', 'Pushed-By'].map(
    (key) => `%(trailers:key=${key},valueonly,separator=%x2C)`,
  ),
];
const FORMAT = `--format=${FIELDS.join('%x00')}%x1e`;

const BRANCHES = 'refs/heads/';

/** A release with what only the server needs of it. */
export interface LoggedRelease extends Release {
  tree: string;
  /** Full ref of the source. */
  sourceRef: string;
  /** The release after whose failure this one was made. */
  failed?: string;
}

/** Commits of a release branch, newest first; with paths, those that changed them. */
export async function readLog(
  repository: BareRepository,
  entry: string,
  selection: readonly string[],
  paths: readonly string[] = [],
): Promise<LoggedRelease[]> {
  const [log, healthy] = await Promise.all([
    repository.git(['log', FORMAT, ...selection, '--', ...paths]),
    healthyReleases(repository, entry),
  ]);
  return recordsOf(log).map((record) => parse(record.split('\0'), entry, healthy));
}

function recordsOf(log: string): string[] {
  return log
    .split('\u001E')
    .map((record) => record.replace(/^\n/, ''))
    .filter((record) => record !== '');
}

/** The newest release of each entry, by the entry's name. */
export async function readHeads(repository: BareRepository): Promise<Map<string, LoggedRelease>> {
  if (!(await repository.exists())) return new Map();
  const format = FORMAT.replace('=', '=%D%x00');
  const log = await repository.git([
    'log',
    '--no-walk=unsorted',
    '--decorate=full',
    '--branches',
    format,
  ]);
  const heads = recordsOf(log).flatMap((record) => {
    const [decoration = '', ...fields] = record.split('\0');
    const refs = decoration.split(', ').map((ref) => ref.replace(/^HEAD -> /, ''));
    const branches = refs.filter((ref) => ref.startsWith(BRANCHES));
    return branches.map((branch) => {
      const entry = branch.slice(BRANCHES.length);
      const served = refs.filter((ref) => ref.startsWith(servedRef(entry, '')));
      return parse(
        fields,
        entry,
        new Set(served.map((ref) => ref.slice(servedRef(entry, '').length))),
      );
    });
  });
  return new Map(heads.map((head) => [head.entry, head]));
}

export function branchRef(entry: string): string {
  return `${BRANCHES}${entry}`;
}

export function healthyRef(entry: string): string {
  return `refs/windlass/healthy/${entry}`;
}

/** Each release that was healthy once has one. */
export function servedRef(entry: string, commit: string): string {
  return `refs/windlass/served/${entry}/${commit}`;
}

async function healthyReleases(repository: BareRepository, entry: string): Promise<Set<string>> {
  const refs = await repository.git([
    'for-each-ref',
    '--format=%(objectname)',
    `refs/windlass/served/${entry}/`,
  ]);
  return new Set(refs.split('\n'));
}

function parse(
  fields: readonly string[],
  entry: string,
  healthy: ReadonlySet<string>,
): LoggedRelease {
  const [commit = '', tree = '', author = '', at = '', subject = '', ...trailers] = fields;
  const [
    pipeline = '',
    run = '',
    source = '',
    sourceRef = '',
    restores = '',
    failed = '',
    pushedBy = '',
  ] = trailers;
  return {
    commit,
    tree,
    pipeline,
    entry,
    source,
    sourceRef,
    subject,
    author,
    at: Number(at) * 1_000,
    ...(run === '' ? {} : { runId: run }),
    ...(pushedBy === '' ? {} : { pushedBy }),
    ...(restores === '' ? {} : { restores }),
    ...(failed === '' ? {} : { failed }),
    healthy: healthy.has(commit),
  };
}
