import { suggestion } from '#core/suggest.ts';
import { UserError } from '#core/errors.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/** A kind as the API server serves it in one version. */
export interface ApiKind {
  /** Empty for the core group. */
  group: string;
  version: string;
  kind: string;
  /** As paths have it: deployments. */
  plural: string;
  namespaced: boolean;
  verbs: readonly string[];
}

/** An object's identity: the version it was written in is no part of it. */
export interface ObjectRef {
  group: string;
  kind: string;
  /** Empty where the kind lives in none. */
  namespace: string;
  name: string;
}

/** `apps/Deployment/shop/web`; `/Namespace//shop`. */
export function refId({ group, kind, namespace, name }: ObjectRef): string {
  return `${group}/${kind}/${namespace}/${name}`;
}

export function parseRefId(id: string): ObjectRef {
  const [group = '', kind = '', namespace = '', ...name] = id.split('/');
  return { group, kind, namespace, name: name.join('/') };
}

/** As displays name it. */
export function keyOfId(id: string): ResourceKey {
  const { group, kind, namespace, name } = parseRefId(id);
  const metadata = { name, ...(namespace === '' ? {} : { namespace }) };
  return keyOf({ apiVersion: group === '' ? 'v1' : `${group}/v1`, kind, metadata });
}

export function apiVersionOf({ group, version }: ApiKind): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `/apis/apps/v1/namespaces/shop/deployments/web`; without a name that of all of them, without a namespace in all. */
export function pathOf(kind: ApiKind, namespace = '', name = ''): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const within =
    kind.namespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${within}/${kind.plural}${name === '' ? '' : `/${encodeURIComponent(name)}`}`;
}

/** The kind in exactly that version; of an identity, in the version that the server prefers. */
export function findKind(
  kinds: readonly ApiKind[],
  wanted: { apiVersion: string; kind: string } | { group: string; kind: string },
): ApiKind | undefined {
  return kinds.find((each) => {
    if (each.kind !== wanted.kind) return false;
    return 'apiVersion' in wanted
      ? apiVersionOf(each) === wanted.apiVersion
      : each.group === wanted.group;
  });
}

/** Says what the server has in place of a kind that it does not serve. */
export function unknownKind(
  kinds: readonly ApiKind[],
  { apiVersion, kind }: { apiVersion: string; kind: string },
): UserError {
  const others = kinds.filter((each) => each.kind === kind);
  const names = new Set(kinds.map((each) => each.kind));
  const hint =
    others.length > 0
      ? `it has ${kind} in ${others.map(apiVersionOf).join(', ')}`
      : (suggestion(kind, names) ??
        'install its CustomResourceDefinition first, or add it to these manifests');
  return new UserError('invalid-input', `the cluster has no ${kind} in ${apiVersion}`, { hint });
}
