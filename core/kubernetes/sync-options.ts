import { UserError } from '#core/errors.ts';
import { ASKED } from '#core/kubernetes/marks.ts';
import { displayKey } from '#core/present/display.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

type Notes = Readonly<Record<string, string>>;

/** Of Argo CD: how it is to treat the object. */
const ANNOTATION = 'argocd.argoproj.io/sync-options';
const KEPT = 'Prune=false';

/** They mean the same here; but for the first, it is what is done anyway. */
const TAKEN = [KEPT, 'PruneLast=true', 'ServerSideApply=true', 'SkipDryRunOnMissingResource=true'];

/** What comes near to an option that is not taken. */
const INSTEAD: Readonly<Record<string, string>> = {
  Replace: ASKED.replace,
  Force: ASKED.replace,
  Delete: ASKED.prune,
  Prune: ASKED.prune,
};

/** @throws UserError `invalid-input` for an option that would mean something else here, or nothing */
export function checkSyncOptions(resource: Resource): void {
  for (const option of optionsIn(resource.metadata.annotations ?? {})) {
    if (TAKEN.includes(option)) continue;
    const [name = ''] = option.split('=');
    const near = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined;
    const hint = near === undefined ? {} : { hint: `${near} comes near to it` };
    throw new UserError(
      'invalid-input',
      `${displayKey(keyOf(resource))}: annotation ${ANNOTATION}: ${option} is not taken, only ${TAKEN.join(', ')}`,
      hint,
    );
  }
}

/** It stays when it is not in git any more. */
export function isKeptBySyncOptions(notes: Notes): boolean {
  return optionsIn(notes).includes(KEPT);
}

function optionsIn(notes: Notes): string[] {
  return (notes[ANNOTATION] ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}
