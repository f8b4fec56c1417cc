import type { UserError } from '#core/errors.ts';
import { findKind, parseRefId, refId } from '#core/kubernetes/api-kind.ts';
import type { ApiKind, ObjectRef } from '#core/kubernetes/api-kind.ts';
import { keptObject } from '#core/kubernetes/kept-object.ts';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { MARK } from '#core/kubernetes/marks.ts';
import type { KubernetesContext } from './context.ts';
import { readyOrNot, startWatch } from './watched.ts';
import type { Watched } from './watched.ts';
import type { Claim } from '#core/kubernetes/marks.ts';
import type { Target } from '#core/kubernetes/target.ts';

/** Everything on the cluster with our mark, of the kinds that are in use. */
export interface LiveObjects {
  /** Watches exactly these kinds from now on; resolves when all of them are known, but those that cannot be read. */
  follow(kinds: readonly ApiKind[], signal: AbortSignal): Promise<void>;
  /** What is wanted, by owner: what is there is compared with it as it is read. */
  want(targets: readonly (readonly Target[])[]): void;
  /** Why things of its kind cannot be read. */
  problemOf(kind: Pick<ApiKind, 'group' | 'kind'>): UserError | undefined;
  get(id: string): KeptObject | undefined;
  /** Whether a Job was ever seen to have completed as this stands for: it may have deleted itself since. */
  hasCompleted(id: string, hash: string): boolean;
  put(object: LiveObject, kind: ApiKind): KeptObject;
  /** In that version it was looked at, and is what this stands for. What has come since was not looked at. */
  settle(id: string, resourceVersion: string, hash: string): void;
  all(): KeptObject[];
  close(): void;
}

export function createLiveObjects(
  context: KubernetesContext,
  onNews: (what: string) => void,
): LiveObjects {
  const { installation } = context;
  const watches = new Map<string, { kind: ApiKind; watched: Watched<KeptObject> }>();
  /** One for each owner: thousands of objects have the same. */
  const claims = new Map<string, Claim>();
  /** What Jobs that are wanted were when they were seen to have completed. */
  const completed = new Map<string, string>();
  let problems: ReadonlyMap<string, UserError> = new Map();
  let wantedLists: readonly (readonly Target[])[] = [];
  let wanted = new Map<string, Target>();

  function keep(object: LiveObject, kind: ApiKind, before?: KeptObject): KeptObject {
    const ref = refOf(object, kind);
    const kept = keptObject(object, ref, context, wanted.get(refId(ref)));
    const isDone = kind.kind === 'Job' && kept.seen.health.status === 'Healthy' && !kept.isGoing;
    if (isDone && wanted.has(kept.id)) completed.set(kept.id, kept.applied);
    if (kept.asWanted === '' && before?.fingerprint === kept.fingerprint)
      kept.asWanted = before.asWanted;
    if (kept.claim.by === 'owner') {
      const { owner } = kept.claim;
      kept.claim = claims.get(owner) ?? kept.claim;
      claims.set(owner, kept.claim);
    }
    return kept;
  }

  function start(kind: ApiKind): Watched<KeptObject> {
    return startWatch<KeptObject>(context, {
      kind,
      scope: { labelSelector: `${MARK.installation}=${installation}` },
      idOf: (object) => refId(refOf(object, kind)),
      keep: (object, before) => keep(object, kind, before),
      isNews,
      onNews,
    });
  }

  function get(id: string): KeptObject | undefined {
    return watches.get(kindNameIn(id))?.watched.get(id);
  }

  return {
    async follow(kinds, signal) {
      const used = new Map(kinds.map((kind) => [nameOf(kind), kind]));
      for (const [name, { kind, watched }] of watches) {
        if (used.get(name)?.version === kind.version) continue;
        watched.close();
        watches.delete(name);
      }
      for (const [name, kind] of used)
        if (!watches.has(name)) watches.set(name, { kind, watched: start(kind) });
      const each = [...watches].map(([name, { watched }]) => [name, watched] as const);
      problems = await readyOrNot(new Map(each), signal);
    },
    want(targets) {
      const isSame =
        targets.length === wantedLists.length &&
        targets.every((each, index) => each === wantedLists[index]);
      if (isSame) return;
      wantedLists = targets;
      wanted = new Map(targets.flat().map((target) => [target.id, target]));
      // Wanted again later, it is to run again.
      for (const id of completed.keys()) if (!wanted.has(id)) completed.delete(id);
    },
    problemOf: (kind) => problems.get(nameOf(kind)),
    get,
    hasCompleted: (id, hash) => completed.get(id) === hash,
    put(object, kind) {
      const watched = watches.get(nameOf(kind))?.watched;
      return watched === undefined ? keep(object, kind) : watched.put(object);
    },
    settle(id, resourceVersion, hash) {
      const kept = get(id);
      if (kept?.resourceVersion === resourceVersion) kept.asWanted = hash;
    },
    all: () => [...watches.values()].flatMap(({ watched }) => [...watched.all()]),
    close() {
      for (const { watched } of watches.values()) watched.close();
    },
  };
}

/** The kinds of wanted objects as they are written, those of the others as the server prefers them. */
export function kindsInUse(
  kinds: readonly ApiKind[],
  wanted: readonly (ApiKind | undefined)[],
  ids: Iterable<string>,
): ApiKind[] {
  const used = new Map<string, ApiKind>();
  const names = new Map<string, string>();
  for (const id of ids) names.set(kindNameIn(id), id);
  for (const id of names.values()) {
    const kind = findKind(kinds, parseRefId(id));
    if (kind !== undefined) used.set(nameOf(kind), kind);
  }
  for (const kind of wanted) if (kind !== undefined) used.set(nameOf(kind), kind);
  return [...used.values()];
}

function nameOf({ group, kind }: Pick<ApiKind, 'group' | 'kind'>): string {
  return `${group}/${kind}`;
}

/** What `nameOf` says of the kind of an identity. */
function kindNameIn(id: string): string {
  return id.slice(0, id.indexOf('/', id.indexOf('/') + 1));
}

function refOf({ metadata }: LiveObject, { group, kind }: ApiKind): ObjectRef {
  return { group, kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

function isNews(before: KeptObject | undefined, after: KeptObject | undefined): boolean {
  return (
    before?.fingerprint !== after?.fingerprint ||
    before?.isGoing !== after?.isGoing ||
    before?.seen.health.status !== after?.seen.health.status ||
    before?.seen.summary !== after?.seen.summary
  );
}
