import { encodeBase64 } from '#core/base64.ts';
import { UserError } from '#core/errors.ts';
import { apiVersionOf, findKind, refId, unknownKind } from '#core/kubernetes/api-kind.ts';
import type { ApiKind, ObjectRef } from '#core/kubernetes/api-kind.ts';
import { parsePath } from '#core/kubernetes/field-sets.ts';
import type { Step } from '#core/kubernetes/field-sets.ts';
import { HELM_HOOK, hookRunsOf, waveNote } from '#core/kubernetes/hook-annotations.ts';
import type { HookRun } from '#core/kubernetes/hook-annotations.ts';
import { FOUNDATIONS, rankOf } from '#core/kubernetes/kind-order.ts';
import { ASKED, MARK, ownerMark } from '#core/kubernetes/marks.ts';
import { checkSyncOptions } from '#core/kubernetes/sync-options.ts';
import type { DesiredState } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import { displayKey } from '#core/present/display.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/** An object that is wanted, as it is applied, and how. */
export interface Target {
  key: ResourceKey;
  id: string;
  ref: ObjectRef;
  owner: OwnerKey;
  /** Absent: the cluster does not serve it yet; a definition that is wanted too makes it. */
  kind: ApiKind | undefined;
  /** With its marks. */
  resource: Resource;
  /** Stands for what is applied; it is on the object as a mark. */
  hash: string;
  wave: number;
  rank: number;
  asked: Asked;
  /** Of what is made for one release only. */
  hook?: HookRun;
}

/** What its annotations ask for. */
interface Asked {
  adopt: boolean;
  replace: boolean;
  force: boolean;
  ignorePaths: readonly Step[][];
  ignoreManagers: readonly string[];
}

export interface TargetRules {
  installation: string;
  /** A stand-in for a text that tells nothing of it. */
  seal: (text: string) => string;
  /** Workloads whose replicas an autoscaler sets. */
  autoscaled: ReadonlySet<string>;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * What an owner wants, in the order in which it is applied.
 *
 * @throws UserError `invalid-input` for a kind that the cluster does not have, or an annotation that cannot be read
 */
export function targetsOf(
  { owner, release, resources, scaledByHand = [] }: DesiredState,
  kinds: readonly ApiKind[],
  rules: TargetRules,
): Target[] {
  const defined = definedKinds(resources);
  return resources
    .flatMap((resource) => {
      const kind = findKind(kinds, resource) ?? findDefined(defined, resource);
      if (kind === undefined) throw unknownKind(kinds, resource);
      checkCanBeKept(kind, resource);
      checkSyncOptions(resource);
      const ref = refOf(resource, kind);
      const id = refId(ref);
      const key = keyOf(resource);
      const isAutoscaled = rules.autoscaled.has(key) && !scaledByHand.includes(key);
      const asked = askedOf(resource, isAutoscaled);
      const plain = plainResource(resource, ref);
      function target(what: unknown): Target {
        const hash = rules.seal(JSON.stringify(what)).slice(0, 16);
        return {
          key,
          id,
          ref,
          owner,
          kind: findKind(kinds, resource),
          resource: marked(plain, { owner, ref, hash, installation: rules.installation }),
          hash,
          wave: FOUNDATIONS.includes(resource.kind) ? -Infinity : waveOf(resource),
          rank: rankOf(resource.kind),
          asked,
        };
      }
      const runs = hookRunsOf(resource);
      if (runs === undefined) return [target([owner, plain, isAutoscaled])];
      if (runs.length === 0)
        throw wrong(resource, HELM_HOOK, 'none of its times ever comes: take it out');
      return runs.map((hook) => ({ ...target([owner, plain, release, hook.phase]), hook }));
    })
    .toSorted(inOrder);
}

function inOrder(one: Target, other: Target): number {
  return compare(one.wave, other.wave) || one.rank - other.rank || compare(one.id, other.id);
}

function compare<T extends number | string>(one: T, other: T): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

const NEEDED = ['list', 'watch', 'patch', 'delete'];

/** Reviews and the like are questions: nothing of them stays. */
function checkCanBeKept({ verbs }: ApiKind, resource: Resource): void {
  // Of a kind that is only being defined they are not known.
  if (verbs.length === 0 || NEEDED.every((verb) => verbs.includes(verb))) return;
  throw new UserError(
    'invalid-input',
    `${displayKey(keyOf(resource))} cannot be kept: its kind has not all of ${NEEDED.join(', ')}`,
  );
}

/** Workloads that HorizontalPodAutoscalers among the resources scale. */
export function autoscaledIn(resources: readonly Resource[]): string[] {
  return resources.flatMap((resource) => {
    if (resource.kind !== 'HorizontalPodAutoscaler') return [];
    const target = fieldsOf(fieldsOf(resource['spec'])?.['scaleTargetRef']);
    const { kind, name, apiVersion } = target ?? {};
    if (typeof kind !== 'string' || typeof name !== 'string') return [];
    const { namespace } = resource.metadata;
    const version = typeof apiVersion === 'string' ? apiVersion : 'apps/v1';
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    return [keyOf({ apiVersion: version, kind, metadata })];
  });
}

function refOf({ kind, metadata }: Resource, { group, namespaced }: ApiKind): ObjectRef {
  const namespace = namespaced ? (metadata.namespace ?? 'default') : '';
  return { group, kind, namespace, name: metadata.name };
}

/** As it is applied, but for our marks. What the server itself keeps is not applied. */
function plainResource({ status: _status, ...resource }: Resource, ref: ObjectRef): Resource {
  const { namespace: _namespace, ...metadata } = resource.metadata;
  const named = ref.namespace === '' ? metadata : { ...metadata, namespace: ref.namespace };
  const plain = { ...resource, metadata: named } as Resource;
  return plain.kind === 'Secret' ? withFoldedData(plain) : plain;
}

/** `stringData` is written only: as `data` it can be compared, and taken away again. */
function withFoldedData({ stringData, ...secret }: Resource): Resource {
  const given = fieldsOf(stringData);
  if (given === undefined) return secret as Resource;
  const encoded = Object.entries(given).map(([key, value]) => [
    key,
    typeof value === 'string' ? encodeBase64(value) : value,
  ]);
  return {
    ...secret,
    data: { ...fieldsOf(secret['data']), ...Object.fromEntries(encoded) },
  } as Resource;
}

function marked(
  resource: Resource,
  {
    owner,
    ref,
    hash,
    installation,
  }: { owner: OwnerKey; ref: ObjectRef; hash: string; installation: string },
): Resource {
  const { labels, annotations } = resource.metadata;
  return {
    ...resource,
    metadata: {
      ...resource.metadata,
      labels: { ...labels, [MARK.installation]: installation },
      annotations: { ...annotations, [MARK.owner]: ownerMark(owner, ref), [MARK.applied]: hash },
    },
  };
}

function askedOf(resource: Resource, isAutoscaled: boolean): Asked {
  const notes = resource.metadata.annotations ?? {};
  const paths = listed(notes[ASKED.ignorePaths]).map((text) => {
    const path = parsePath(text);
    if (path !== undefined) return path;
    throw wrong(resource, ASKED.ignorePaths, `${text} is no path, as spec.replicas is one`);
  });
  return {
    adopt: notes[ASKED.adopt] === 'true',
    replace: notes[ASKED.replace] === 'true',
    force: notes[ASKED.force] === 'true',
    ignorePaths: isAutoscaled ? [...paths, [{ field: 'spec' }, { field: 'replicas' }]] : paths,
    ignoreManagers: listed(notes[ASKED.ignoreManagers]),
  };
}

function listed(text = ''): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function waveOf(resource: Resource): number {
  const [annotation, text] = waveNote(resource);
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw wrong(resource, annotation, `${text} is no whole number`);
}

function wrong(resource: Resource, annotation: string, why: string): UserError {
  return new UserError(
    'invalid-input',
    `${displayKey(keyOf(resource))}: annotation ${annotation}: ${why}`,
  );
}

/** The kinds that CustomResourceDefinitions among the resources define. */
function definedKinds(resources: readonly Resource[]): ApiKind[] {
  return resources.flatMap((resource) => {
    if (resource.kind !== 'CustomResourceDefinition') return [];
    const { group, names, scope, versions } = fieldsOf(resource['spec']) ?? {};
    const { kind, plural } = fieldsOf(names) ?? {};
    if (typeof group !== 'string' || typeof kind !== 'string' || typeof plural !== 'string')
      return [];
    const all: unknown[] = Array.isArray(versions) ? versions : [];
    return all.flatMap((each) => {
      const version = fieldsOf(each)?.['name'];
      if (typeof version !== 'string') return [];
      return [{ group, version, kind, plural, namespaced: scope === 'Namespaced', verbs: [] }];
    });
  });
}

function findDefined(
  defined: readonly ApiKind[],
  { apiVersion, kind }: Resource,
): ApiKind | undefined {
  return defined.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : undefined;
}
