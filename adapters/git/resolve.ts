import type { SimpleGit } from 'simple-git';
import { UserError } from '#core/errors.ts';
import { isCommitId } from './ref.ts';

export interface ResolvedCommit {
  commit: string;
  /** First line of the message. */
  subject: string;
  /** `Name <address>`. */
  author: string;
  /** When it was committed, in seconds since the epoch. */
  committedAt: number;
  /** True where another commit was asked for, which the ref does not contain. */
  moved: boolean;
}

/** The commit to build: the one asked for if the ref contains it, else the ref's head. */
export async function resolveCommit(
  git: SimpleGit,
  asked: { ref: string; commit: string },
): Promise<ResolvedCommit> {
  const head = await commitOf(git, asked.ref);
  if (head === undefined) {
    throw new UserError('not-found', `${asked.ref} is not in the repository any more`, {
      hint: 'it was deleted after the push; push it again to build it',
    });
  }
  const contained = isCommitId(asked.commit) && (await contains(git, head, asked.commit));
  const commit = contained ? asked.commit : head;
  const format = '--format=%an <%ae>%x00%ct%x00%s';
  const shown = await git.raw('log', '-1', '--no-show-signature', format, commit, '--');
  const [author = '', committedAt = '', subject = ''] = shown.trimEnd().split('\0');
  return { commit, subject, author, committedAt: Number(committedAt), moved: !contained };
}

/** The commit a ref points to, through an annotated tag if it is one. */
async function commitOf(git: SimpleGit, ref: string): Promise<string | undefined> {
  const listing = await git.raw(
    'for-each-ref',
    '--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)',
    ref,
  );
  for (const line of listing.split('\n')) {
    const [name, type, object, peeledType, peeled] = line.split('\0');
    if (name !== ref) continue;
    if (type === 'commit') return object;
    if (peeledType === 'commit') return peeled;
    throw new UserError('invalid-input', `${ref} does not point to a commit`);
  }
  return undefined;
}

/** Asked by the commits that `head` lacks, since a mere exit code tells "no" and "unknown commit" apart badly. */
async function contains(git: SimpleGit, head: string, commit: string): Promise<boolean> {
  if (head === commit) return true;
  const type = await git.raw('cat-file', '-t', commit).then(
    (answer) => answer.trim(),
    () => 'missing',
  );
  return type === 'commit' && (await git.raw('rev-list', '-1', commit, `^${head}`, '--')) === '';
}
