import type { Keep } from '#core/declarations/pipeline.ts';

/** Of how many commits a pipeline's images are kept in the build engine and in the registry. */
export const COMMITS_KEPT = 5;
export const CHECKOUT_KEPT_MS = 24 * 3_600_000;
export const MIRROR_KEPT_MS = 30 * 24 * 3_600_000;
/** An image without a name may belong to a build or a deploy that goes on. */
export const NAMELESS_KEPT_MS = 3_600_000;
export const BUILD_CACHE_BYTES = 10_000_000_000;

/** An image of this installation in the build engine. */
export interface LocalImage {
  id: string;
  /** `repository:tag`. */
  tags: readonly string[];
  /** `repository@sha256:…`. */
  digests: readonly string[];
  createdAt: number;
  /** Whether any container is made from it, running or not. */
  inUse: boolean;
}

/** What must stay, as the runs tell it. */
export interface Kept {
  /** `repository:commit` of the newest commits of every pipeline. */
  tags: ReadonlySet<string>;
  /** `repository@sha256:…` of images those and the kept releases name. */
  references: ReadonlySet<string>;
}

/** Images to remove, by name, else by digest, else by id: Docker refuses an id that several names share. Docker keeps an image that has another name left. */
export function planImageCollection(
  images: readonly LocalImage[],
  kept: Kept,
  now: number,
): string[] {
  return images
    .filter((image) => !image.inUse && !image.digests.some((digest) => kept.references.has(digest)))
    .flatMap((image) => {
      if (image.tags.length > 0)
        return image.tags.filter((tag) => isCommitTag(tag) && !kept.tags.has(tag));
      if (now - image.createdAt <= NAMELESS_KEPT_MS) return [];
      return image.digests.length > 0 ? image.digests : [image.id];
    });
}

/** An image in the registry. Without a tag: one that a run has pushed, and whose tag another one may have by now. */
export interface RegistryImage {
  repository: string;
  tag?: string;
  digest: string;
}

/** Digests to delete from the registry, which takes all their tags along. Tags that are no commits are not ours. */
export function planRegistryCollection(
  images: readonly RegistryImage[],
  kept: Kept,
): { repository: string; digest: string }[] {
  function isKept({ repository, tag }: RegistryImage): boolean {
    if (tag === undefined) return false;
    return !isCommit(tag) || kept.tags.has(`${repository}:${tag}`);
  }
  const stays = new Set([...kept.references, ...images.filter(isKept).map(referenceOf)]);
  const goes = images.filter((each) => !stays.has(referenceOf(each)));
  const byReference = new Map(goes.map((each) => [referenceOf(each), each]));
  return [...byReference.values()].map(({ repository, digest }) => ({ repository, digest }));
}

/** A folder with the name it has on disk and when it was last written. */
export interface KeptFolder {
  name: string;
  usedAt: number;
}

/** More runs of a pipeline are never kept, whatever it says. */
export const RUNS_MOST = 1_000;
const DAY_MS = 24 * 3_600_000;

/** A run by when it was recorded. */
export interface RunAge {
  id: string;
  at: number;
}

/** Which runs of a pipeline are forgotten, with their logs. None that goes on. */
export function planRunCollection(
  runs: readonly RunAge[],
  unfinished: ReadonlySet<string>,
  keep: Pick<Keep, 'runs' | 'days'>,
  now: number,
): string[] {
  return runs
    .toSorted((one, other) => other.at - one.at)
    .filter(({ at }, newer) => {
      if (newer >= RUNS_MOST) return true;
      return newer >= keep.runs && now - at > keep.days * DAY_MS;
    })
    .map(({ id }) => id)
    .filter((id) => !unfinished.has(id));
}

/** Logs whose run was lost before it ended: nobody can ask for them, but a look into the file may still help. */
export function planLogCollection(
  logs: readonly RunAge[],
  known: ReadonlySet<string>,
  keep: Pick<Keep, 'days'>,
  now: number,
): string[] {
  return logs
    .filter(({ id, at }) => !known.has(id) && now - at > keep.days * DAY_MS)
    .map(({ id }) => id);
}

/** Checkouts are named after their run. */
export function planCheckoutCollection(
  checkouts: readonly KeptFolder[],
  unfinishedRuns: ReadonlySet<string>,
  now: number,
): string[] {
  return checkouts
    .filter(({ name, usedAt }) => {
      const [run = ''] = name.split('.');
      return !unfinishedRuns.has(run) || now - usedAt > CHECKOUT_KEPT_MS;
    })
    .map(({ name }) => name);
}

/** Clones that were cut off go after a day. */
export function planMirrorCollection(mirrors: readonly KeptFolder[], now: number): string[] {
  return mirrors
    .filter(({ name, usedAt }) => {
      const keptMs = name.endsWith('.git') ? MIRROR_KEPT_MS : CHECKOUT_KEPT_MS;
      return now - usedAt > keptMs;
    })
    .map(({ name }) => name);
}

function referenceOf({ repository, digest }: Pick<RegistryImage, 'repository' | 'digest'>): string {
  return `${repository}@${digest}`;
}

function isCommitTag(name: string): boolean {
  return isCommit(name.slice(name.lastIndexOf(':') + 1));
}

function isCommit(tag: string): boolean {
  return /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(tag);
}
