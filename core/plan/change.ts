import type { ResourceKey } from '#core/resources/resource.ts';

export type ChangeAction = 'create' | 'update' | 'replace' | 'delete';

/** One field that differs. Values are display text: JSON for structures, masked for Secrets; absent = not there. */
export interface FieldDiff {
  path: string;
  current?: string;
  desired?: string;
}

/** One resource to create, update, replace or delete. */
export interface Change {
  action: ChangeAction;
  key: ResourceKey;
  /** The fields that differ; empty for create and delete. */
  fields: FieldDiff[];
  /** Why, where the fields alone do not say it: "a container was stopped by hand", "not in git any more". */
  reason?: string;
}

/** The ordered changes that turn live into desired. Empty means converged. */
export type Plan = Change[];
