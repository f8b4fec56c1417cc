import { contentHash } from '#core/hash.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { MARK } from '#core/kubernetes/marks.ts';
import type { FieldDiff } from '#core/plan/change.ts';
import { diffFields } from '#core/plan/diff.ts';

const SERVERS_OWN = new Set([
  'managedFields',
  'resourceVersion',
  'generation',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
]);

/** What the API server would change of an object. Values of a Secret are never shown, only that they differ. */
export function differencesOf(live: LiveObject, predicted: LiveObject): FieldDiff[] {
  return diffFields(comparable(live), comparable(predicted)).map((field) =>
    display(live.kind, field),
  );
}

/** The same as long as nobody changes more of the object than its status. */
export function fingerprintOf(object: LiveObject): string {
  return contentHash(comparable(object));
}

/** Without what the API server keeps for itself, what controllers report, and the mark that stands for all the rest. */
function comparable({ status: _status, metadata, ...rest }: LiveObject): unknown {
  const { annotations = {}, ...others } = metadata;
  const kept = Object.entries(others).filter(([name]) => !SERVERS_OWN.has(name));
  const notes = Object.entries(annotations).filter(([name]) => name !== MARK.applied);
  return {
    ...rest,
    metadata: { ...Object.fromEntries(kept), annotations: Object.fromEntries(notes) },
  };
}

function display(kind: string, { path, current, desired }: FieldDiff): FieldDiff {
  const field = path.replace(/^\./, '');
  const isHidden = kind === 'Secret' && /^(data|stringData)\b/.test(field);
  return {
    path: field,
    ...(current === undefined ? {} : { current: isHidden ? '*** (before)' : current }),
    ...(desired === undefined ? {} : { desired: isHidden ? '*** (after)' : desired }),
  };
}
