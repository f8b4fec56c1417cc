import { ApiError } from '#adapters/kubernetes/api-error.ts';
import { applyObject, getObject } from '#adapters/kubernetes/objects.ts';
import { differencesOf } from '#core/kubernetes/differences.ts';
import {
  managersAt,
  parsePath,
  readPath,
  withoutFieldsOf,
  withPath,
} from '#core/kubernetes/field-sets.ts';
import { healthOf } from '#core/kubernetes/health.ts';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { ASKED, claimOn, FIELD_MANAGER, MARK } from '#core/kubernetes/marks.ts';
import type { Claim } from '#core/kubernetes/marks.ts';
import type { Look } from '#core/kubernetes/plan-owner.ts';
import { conflictText, refusalKind, refusedFields } from '#core/kubernetes/refusal.ts';
import type { Target } from '#core/kubernetes/target.ts';
import type { FieldDiff } from '#core/plan/change.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { KubernetesContext } from './context.ts';

/** What is to be sent to the API server, as it was looked at. */
export interface Prepared {
  resource: Resource;
  force: boolean;
}

const NO_NAMESPACE_YET: Look = { kind: 'absent', unchecked: 'its namespace is not there yet' };

export interface Looked {
  look: Look;
  prepared: Prepared;
}

/** Namespaces that are wanted, and those of them that the API server has said are not there yet. */
export interface WantedNamespaces {
  wanted: ReadonlySet<string>;
  missing: Set<string>;
}

/**
 * Asks the API server what it would make of something that is wanted, and compares that with what there is. Nothing is
 * written.
 */
export async function lookAt(
  context: KubernetesContext,
  target: Target,
  kept: KeptObject | undefined,
  namespaces: WantedNamespaces,
  signal: AbortSignal,
): Promise<Looked> {
  const { kind, ref } = target;
  const asIs = { resource: target.resource, force: target.asked.force };
  if (kind === undefined)
    return {
      look: { kind: 'absent', unchecked: 'its definition is not there yet' },
      prepared: asIs,
    };
  // It was asked about another object there: the answer is the same.
  if (kept === undefined && namespaces.missing.has(ref.namespace))
    return { look: NO_NAMESPACE_YET, prepared: asIs };
  const live = kept === undefined ? undefined : await getObject(context.client, kind, ref, signal);
  const first = await compare(context, { target, kind, live }, namespaces, signal);
  if (first.isUnseen !== true) return first;
  // It was not known here: somebody else's, or made a moment ago.
  const found = await getObject(context.client, kind, ref, signal);
  return compare(context, { target, kind, live: found }, namespaces, signal);
}

interface Comparison {
  target: Target;
  kind: ApiKind;
  live: LiveObject | undefined;
}

async function compare(
  { client, installation }: KubernetesContext,
  { target, kind, live }: Comparison,
  namespaces: WantedNamespaces,
  signal: AbortSignal,
): Promise<Looked & { isUnseen?: boolean }> {
  const claim = live === undefined ? undefined : claimOn(live, target.ref, installation);
  if (live?.metadata.deletionTimestamp !== undefined && claim !== undefined) {
    const why = healthOf(live).health.reason;
    const asIs = { resource: target.resource, force: target.asked.force };
    return { look: { kind: 'going', uid: live.metadata.uid, claim, why }, prepared: asIs };
  }
  const isDrift = live?.metadata.annotations?.[MARK.applied] === target.hash;
  const isTakenOver = claim?.by === 'nobody' && target.asked.adopt;
  const prepared = {
    resource: withIgnored(target, live),
    // What we have applied before is ours again, whoever changed it.
    force: target.asked.force || isDrift || isTakenOver,
  };
  try {
    const { force } = prepared;
    // Of what is not there it is only to be known whether it would be taken.
    const brief = live === undefined;
    const options = { fieldManager: FIELD_MANAGER, dryRun: true, force, brief };
    const predicted = await applyObject(client, kind, prepared.resource, options, signal);
    if (live === undefined || claim === undefined)
      return { look: { kind: 'absent' }, prepared, isUnseen: !predicted.created };
    return { look: lookOf(live, predicted.object, { claim, isDrift }), prepared };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status >= 500 || error.status === 429) throw error;
    const known =
      live === undefined || claim === undefined ? {} : { uid: live.metadata.uid, claim };
    // Of what is not known here it is to be told first whose it is.
    const isUnseen = live === undefined && (error.status === 409 || error.status === 422);
    return { look: refusedLook(error, target, known, namespaces), prepared, isUnseen };
  }
}

function lookOf(
  live: LiveObject,
  predicted: LiveObject,
  { claim, isDrift }: { claim: Claim; isDrift: boolean },
): Look {
  const { uid, managedFields } = live.metadata;
  const fields = differencesOf(live, predicted);
  if (fields.length === 0 && isDrift) return { kind: 'same', uid, claim };
  const by = isDrift ? setBy(fields, managedFields) : [];
  return { kind: 'differs', uid, claim, fields, by, isDrift };
}

function setBy(
  fields: readonly FieldDiff[],
  managed: LiveObject['metadata']['managedFields'],
): string[] {
  const found = fields.flatMap(({ path }) => managersAt(managed, parsePath(path) ?? []));
  return [...new Set(found)];
}

function refusedLook(
  error: ApiError,
  { ref }: Target,
  known: { uid?: string; claim?: Claim },
  namespaces: WantedNamespaces,
): Look {
  const { uid, claim } = known;
  const fields = refusedFields(error, ref.kind === 'Secret');
  switch (refusalKind(error)) {
    case 'conflict':
      return {
        kind: 'refused',
        ...known,
        why: `${conflictText(error)}: annotate it with ${ASKED.force}: "true" to take that over, or with ${ASKED.ignorePaths} to leave it`,
      };
    case 'no-namespace':
      if (!namespaces.wanted.has(ref.namespace))
        return {
          kind: 'refused',
          why: `there is no namespace ${ref.namespace}: add it to these manifests`,
        };
      namespaces.missing.add(ref.namespace);
      return NO_NAMESPACE_YET;
    case 'immutable':
      return uid === undefined || claim === undefined
        ? { kind: 'refused', why: fields }
        : { kind: 'immutable', uid, claim, why: fields };
    case 'invalid':
      return { kind: 'refused', ...known, why: fields };
  }
}

/**
 * With what is to be left alone as it is. A field that we alone have set stays in what is applied, with its live value:
 * left out, it would be taken away.
 */
function withIgnored({ resource, asked }: Target, live: LiveObject | undefined): Resource {
  if (live === undefined) return resource;
  const { managedFields = [] } = live.metadata;
  const others = asked.ignoreManagers.reduce(
    (rest, manager) => withoutFieldsOf(rest, managedFields, manager),
    resource,
  );
  return asked.ignorePaths.reduce<Resource>((rest, path) => {
    if (readPath(rest, path) === undefined) return rest;
    const isSetByOthers = managersAt(managedFields, path).length > 0;
    return withPath(rest, path, isSetByOthers ? undefined : readPath(live, path)) as Resource;
  }, others);
}
