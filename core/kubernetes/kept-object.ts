import { fingerprintOf } from '#core/kubernetes/differences.ts';
import { waveNote } from '#core/kubernetes/hook-annotations.ts';
import type { JudgeHealth } from '#core/kubernetes/health-rules.ts';
import { healthOf } from '#core/kubernetes/health.ts';
import { refId } from '#core/kubernetes/api-kind.ts';
import type { ObjectRef } from '#core/kubernetes/api-kind.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { ASKED, claimOn, MARK } from '#core/kubernetes/marks.ts';
import type { Claim } from '#core/kubernetes/marks.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import { ownsAllOf } from '#core/kubernetes/kept-fields.ts';
import { isKeptBySyncOptions } from '#core/kubernetes/sync-options.ts';
import type { Target } from '#core/kubernetes/target.ts';

/** What is kept in memory of a live object: much less than the object. */
export interface KeptObject {
  id: string;
  uid: string;
  resourceVersion: string;
  fingerprint: string;
  seen: Seen;
  claim: Claim;
  /** Stands for what was applied last; empty where nothing was. */
  applied: string;
  /** Stands for what it was found to be as wanted; empty where that has to be looked at. */
  asWanted: string;
  wave: number;
  /** What its annotation says of its deletion. */
  prune: 'keep' | 'allow' | 'unsaid';
  /** It is somebody's who deletes it with himself. */
  isControlled: boolean;
  isGoing: boolean;
}

export interface KeepingRules {
  installation: string;
  /** Of kinds whose health somebody has defined, by `group/Kind`. */
  judges?: ReadonlyMap<string, JudgeHealth>;
}

/** Of a chart: what is to outlive it. */
const HELM_POLICY = 'helm.sh/resource-policy';

/** `target`: what it is wanted to be, where that is known. */
export function keptObject(
  object: LiveObject,
  ref: ObjectRef,
  { installation, judges }: KeepingRules,
  target?: Target,
): KeptObject {
  const { metadata } = object;
  const claim = claimOn(object, ref, installation);
  const notes = metadata.annotations ?? {};
  const wave = Number(waveNote(object)[1]);
  return {
    id: refId(ref),
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    fingerprint: fingerprintOf(object),
    seen: healthOf(object, judges),
    claim,
    applied: notes[MARK.applied] ?? '',
    asWanted: claim.by === 'owner' && isUntouched(object, target) ? target.hash : '',
    wave: Number.isInteger(wave) ? wave : 0,
    prune: pruneOf(notes),
    isControlled: (metadata.ownerReferences ?? []).some((each) => each.controller === true),
    isGoing: metadata.deletionTimestamp !== undefined,
  };
}

/** It is as it was applied, and that is what is wanted. */
function isUntouched({ metadata }: LiveObject, target: Target | undefined): target is Target {
  if (target === undefined || metadata.deletionTimestamp !== undefined) return false;
  const { ignorePaths, ignoreManagers } = target.asked;
  if (ignorePaths.length + ignoreManagers.length > 0) return false;
  if (metadata.annotations?.[MARK.applied] !== target.hash) return false;
  return ownsAllOf(target.resource, metadata.managedFields);
}

function pruneOf(notes: Readonly<Record<string, string>>): KeptObject['prune'] {
  const said = notes[ASKED.prune];
  if (said === 'true') return 'allow';
  if (said === 'false' || notes[HELM_POLICY] === 'keep') return 'keep';
  return isKeptBySyncOptions(notes) ? 'keep' : 'unsaid';
}
