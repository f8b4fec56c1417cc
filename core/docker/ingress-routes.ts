import type { Backend, Ingress, PathRule } from '#core/docker/kinds-ingress.ts';
import { readAnnotations } from '#core/docker/ingress-annotations.ts';
import type { IngressAnnotations } from '#core/docker/ingress-annotations.ts';
import type { LiveRecord } from '#core/docker/world.ts';

export interface RecordedIngress {
  ingress: Ingress;
  /** Milliseconds since the epoch; of two that say the same the elder is heard. */
  recordedAt: number;
}

export function ingressesIn(records: readonly LiveRecord[]): RecordedIngress[] {
  return records.flatMap(({ resource, recordedAt }) =>
    resource.kind === 'Ingress' ? [{ ingress: resource as unknown as Ingress, recordedAt }] : [],
  );
}

/** What is to be asked for one path of one host. */
export interface Route {
  /** Unique, and the name of HAProxy's backend. */
  id: string;
  ingress: Ingress;
  annotations: IngressAnnotations;
  /** Empty for any. */
  host: string;
  path: string;
  how: 'exact' | 'prefix' | 'regex';
  backend: Backend;
  recordedAt: number;
  /** Hosts for which there is to be HTTPS. */
  tlsHosts: readonly string[];
  /** The Secret, as `namespace/name`, of those who are let in; absent for everyone. */
  users?: string;
}

/** All routes, in the order in which they are to be tried: host, then path, as Kubernetes ranks them. */
export function routesOf(ingresses: readonly RecordedIngress[]): Route[] {
  return ingresses
    .flatMap(({ ingress, recordedAt }) => {
      const annotations = readAnnotations(ingress.metadata.annotations);
      const rules = ingress.spec.rules.flatMap(({ host = '', http }) =>
        (http?.paths ?? wholeHost(ingress)).map((rule) => ({ host, rule })),
      );
      return rules.map(({ host, rule }, index): Route => ({
        id: `${idOf(ingress)}.${index}`,
        ingress,
        annotations,
        host,
        path: rule.path,
        how: howOf(rule, annotations),
        backend: rule.backend,
        recordedAt,
        tlsHosts: allTlsHosts(ingress),
        ...usersFor(ingress, annotations),
      }));
    })
    .toSorted(compareRoutes)
    .flatMap((route, _, all) =>
      route.annotations.canary === true ? besides(route, all) : [route],
    );
}

/** Of a rule that names no paths: all of its host goes where the rest goes. */
function wholeHost({ spec: { defaultBackend: backend } }: Ingress): PathRule[] {
  return backend === undefined ? [] : [{ path: '/', pathType: 'Prefix', backend }];
}

function usersFor(
  { metadata }: Ingress,
  annotations: IngressAnnotations,
): { users: string } | undefined {
  const secret = annotations['auth-secret'];
  return secret === undefined
    ? undefined
    : { users: `${metadata.namespace ?? 'default'}/${secret}` };
}

/** A canary is only another Service: all else is as of the Ingress that it is one of; without that it is nothing. */
function besides(canary: Route, all: readonly Route[]): Route[] {
  const main = all.find(
    ({ annotations, host, path, how }) =>
      annotations.canary !== true &&
      host === canary.host &&
      path === canary.path &&
      (how === 'exact') === (canary.how === 'exact'),
  );
  if (main === undefined) return [];
  const own = Object.entries(canary.annotations).filter(([name]) => name.startsWith('canary'));
  const annotations = { ...main.annotations, ...Object.fromEntries(own) };
  const { how, tlsHosts, users } = main;
  return [{ ...canary, how, tlsHosts, annotations, ...(users === undefined ? {} : { users }) }];
}

/** An entry that names no host is for all of the Ingress. */
export function tlsHostsOf({ spec }: Ingress, { hosts }: Ingress['spec']['tls'][number]): string[] {
  const named = hosts.length > 0 ? hosts : spec.rules.flatMap(({ host }) => host ?? []);
  return [...new Set(named)].toSorted();
}

function allTlsHosts(ingress: Ingress): string[] {
  return [...new Set(ingress.spec.tls.flatMap((tls) => tlsHostsOf(ingress, tls)))];
}

/** Where goes what no route is for, the eldest first. */
export function defaultRoutes(ingresses: readonly RecordedIngress[]): Route[] {
  return ingresses
    .flatMap(({ ingress, recordedAt }): Route[] => {
      const { defaultBackend: backend } = ingress.spec;
      if (backend === undefined) return [];
      const annotations = readAnnotations(ingress.metadata.annotations);
      const id = `${idOf(ingress)}.default`;
      return [
        {
          id,
          ingress,
          annotations,
          host: '',
          path: '/',
          how: 'prefix',
          backend,
          recordedAt,
          tlsHosts: allTlsHosts(ingress),
          ...usersFor(ingress, annotations),
        },
      ];
    })
    .toSorted(compareRoutes);
}

/** Of the Ingress that has rules for the host, else of one without any rules. */
export function defaultFor(host: string, defaults: readonly Route[]): Route | undefined {
  return (
    defaults.find(({ ingress }) => ingress.spec.rules.some((rule) => (rule.host ?? '') === host)) ??
    defaults.find(({ ingress }) => ingress.spec.rules.length === 0)
  );
}

function idOf({ metadata }: Ingress): string {
  return `ingress.${metadata.namespace ?? 'default'}.${metadata.name}`;
}

/** As ingress-nginx has it: regular expressions where it is told so, or where something is to be rewritten. */
function howOf({ pathType }: PathRule, annotations: IngressAnnotations): Route['how'] {
  if (pathType === 'Exact') return 'exact';
  const isRegex = annotations['use-regex'] === true || annotations['rewrite-target'] !== undefined;
  return pathType === 'ImplementationSpecific' && isRegex ? 'regex' : 'prefix';
}

function compareRoutes(one: Route, other: Route): number {
  return (
    hostRank(other) - hostRank(one) ||
    compareText(one.host, other.host) ||
    Number(other.how === 'exact') - Number(one.how === 'exact') ||
    other.path.length - one.path.length ||
    Number(other.annotations.canary === true) - Number(one.annotations.canary === true) ||
    one.recordedAt - other.recordedAt ||
    compareText(one.id, other.id)
  );
}

/** A full name before a wildcard, a longer wildcard before a shorter one, and none last. */
function hostRank({ host }: Route): number {
  if (host === '') return 0;
  return host.startsWith('*.') ? host.split('.').length : 1_000;
}

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
