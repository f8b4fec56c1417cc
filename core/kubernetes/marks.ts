import { refId } from '#core/kubernetes/api-kind.ts';
import type { ObjectRef } from '#core/kubernetes/api-kind.ts';
import type { OwnerKey } from '#core/owner.ts';

/** Under which the API server keeps the fields that we set. */
export const FIELD_MANAGER = 'windlass';

/** What is on every object that we apply. */
export const MARK = {
  /** Label: which installation applied it. */
  installation: 'windlass.dev/installation',
  /** Annotation: for which owner, and on which object; copied to another it says nothing. */
  owner: 'windlass.dev/owner',
  /** Annotation: stands for what was applied last. */
  applied: 'windlass.dev/applied',
} as const;

/** Annotations that people write. */
export const ASKED = {
  /** Whole number: what has a lower one is applied, and healthy, before. */
  wave: 'windlass.dev/wave',
  /** `"false"`: stays when it is not in git any more. `"true"`: goes then, also a Namespace, claim or the like. */
  prune: 'windlass.dev/prune',
  /** `"true"`: what is there already is taken over. */
  adopt: 'windlass.dev/adopt',
  /** `"true"`: deleted and made anew where a field cannot be changed. */
  replace: 'windlass.dev/replace',
  /** `"true"`: fields that others manage are taken from them. */
  force: 'windlass.dev/force-conflicts',
  /** Paths, separated by commas, that are left as they are. */
  ignorePaths: 'windlass.dev/ignore-differences',
  /** `before`, `after`, `failure`, separated by commas: made for each release, and kept as wanted by none. */
  hook: 'windlass.dev/hook',
  /** When a hook is deleted besides before it is made anew: `succeeded`, `failed`, `before-creation`. */
  hookDelete: 'windlass.dev/hook-delete',
  /** Field managers, separated by commas, whose fields are left as they are. */
  ignoreManagers: 'windlass.dev/ignore-managers',
} as const;

interface Marked {
  metadata: {
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
}

/** Whose an object is by what is on it. */
export type Claim =
  | { by: 'owner'; owner: OwnerKey }
  | { by: 'installation'; installation: string }
  | { by: 'nobody' };

export function claimOn({ metadata }: Marked, ref: ObjectRef, installation: string): Claim {
  const [owner = '', ...rest] = (metadata.annotations?.[MARK.owner] ?? '').split(':');
  // On a copy the mark tells of another object.
  if (rest.join(':') !== refId(ref)) return { by: 'nobody' };
  const marked = metadata.labels?.[MARK.installation] ?? '';
  if (marked === installation) return { by: 'owner', owner };
  return marked === '' ? { by: 'nobody' } : { by: 'installation', installation: marked };
}

export function ownerMark(owner: OwnerKey, ref: ObjectRef): string {
  return `${owner}:${refId(ref)}`;
}
