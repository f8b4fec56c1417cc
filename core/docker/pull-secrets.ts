import { z } from 'zod';
import { decodeBase64 } from '#core/base64.ts';
import type { Secret } from '#core/docker/kinds.ts';
import type { Workload } from '#core/docker/workload.ts';
import { podPathOf } from '#core/docker/pod-path.ts';
import { keepsPods, normalise, sortWorkloads } from '#core/docker/workloads.ts';
import type { Workloads } from '#core/docker/workloads.ts';
import type { FieldPath } from '#core/field-path.ts';
import type { Resource } from '#core/resources/resource.ts';

/** A login at a registry. Memory only. */
export interface Login {
  username: string;
  password: string;
}

type Report = (path: FieldPath, message: string, hint?: string) => void;

const HUB = 'index.docker.io';

const Entry = z
  .object({
    username: z.string().default(''),
    password: z.string().default(''),
    auth: z.string().optional(),
  })
  .transform(({ auth = '', ...login }, context): Login => {
    if (auth === '') return login;
    const [, username, password] = /^([^:]*):([^]*)$/.exec(decoded(auth)) ?? [];
    if (username !== undefined && password !== undefined) return { username, password };
    context.addIssue({ code: 'custom', message: 'auth must be base64 of user:password' });
    return z.NEVER;
  });
const NO_OBJECT = 'must be a JSON object';
const Entries = z.record(z.string(), Entry, NO_OBJECT);
/** The content of a Secret by its type: under which key, and how it is written. */
const FORMATS = {
  'kubernetes.io/dockerconfigjson': {
    key: '.dockerconfigjson',
    schema: z.object({ auths: Entries.default({}) }, NO_OBJECT).transform(({ auths }) => auths),
  },
  'kubernetes.io/dockercfg': { key: '.dockercfg', schema: Entries },
} as const;

/** The Secrets that the workload's pods pull with, as far as they are there. */
export function pullSecretsOf(
  workload: Workload,
  { secrets }: Pick<Workloads, 'secrets'>,
): Secret[] {
  return namesOf(workload).flatMap((key) => secrets.get(key) ?? []);
}

/** Of those that are not there, in the kubelet's words, and of those that hold no logins; absent where nothing is wrong. */
export function pullSecretWarning(workload: Workload, { secrets }: Workloads): string | undefined {
  const lacked = namesOf(workload)
    .filter((key) => !secrets.has(key))
    .map((key) => key.slice(key.indexOf('/') + 1));
  const others = pullSecretsOf(workload, { secrets }).filter(
    (secret) => formatOf(secret) === undefined,
  );
  const told = [
    ...(lacked.length === 0 ? [] : [`there is no Secret ${lacked.join(', ')}`]),
    ...others.map(
      ({ metadata, type }) => `Secret ${metadata.name} of type ${type} holds no logins`,
    ),
  ];
  return told.length === 0 ? undefined : `FailedToRetrieveImagePullSecret: ${told.join('; ')}`;
}

/** `namespace/name` */
function namesOf({ metadata, spec }: Workload): string[] {
  const namespace = metadata.namespace ?? 'default';
  const { imagePullSecrets = [] } = spec.template.spec;
  return imagePullSecrets.flatMap(({ name }) => (name === '' ? [] : [`${namespace}/${name}`]));
}

/**
 * The logins that the kubelet would try for the image, in its order: those for the most specific place first, of one place
 * in the order of the Secrets. Its rules of hosts (`*` stands for a part of a name), ports and paths.
 */
export function loginsFor(image: string, secrets: readonly Secret[]): Login[] {
  const logins = new Map<string, Login[]>();
  for (const secret of secrets) {
    for (const [place, login] of Object.entries(entriesOf(secret)?.data ?? {})) {
      const key = placeKey(place);
      logins.set(key, [...(logins.get(key) ?? []), login]);
    }
  }
  const places = [...logins.keys()].toSorted((one, other) => (one < other ? 1 : -1));
  const name = fullName(image);
  const found = places.filter((place) => isWithin(name, place));
  if (found.length === 0 && isOnHub(name)) return logins.get(HUB) ?? [];
  return found.flatMap((place) => logins.get(place) ?? []);
}

const PullsImages = z.object({
  containers: z.array(z.object({ image: z.string() })).default([]),
  initContainers: z.array(z.object({ image: z.string() })).default([]),
  imagePullSecrets: z.array(z.object({ name: z.string().default('') })).default([]),
});

/** The logins with which pods among the resources would pull the image, whichever engine runs them. */
export function loginsAmong(resources: readonly Resource[], image: string): Login[] {
  const { secrets } = sortWorkloads(
    resources.filter(({ kind }) => kind === 'Secret').map(normalise),
  );
  return resources.filter(keepsPods).flatMap((resource) => {
    const path = podPathOf(resource.kind as Workload['kind']);
    const said = PullsImages.safeParse(valueAt(resource, path));
    if (!said.success) return [];
    const { containers, initContainers, imagePullSecrets } = said.data;
    if (![...containers, ...initContainers].some((each) => each.image === image)) return [];
    const namespace = resource.metadata.namespace ?? 'default';
    const found = imagePullSecrets.flatMap(({ name }) => secrets.get(`${namespace}/${name}`) ?? []);
    return loginsFor(image, found);
  });
}

function valueAt(value: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}

/** What the API server refuses, and what no image could be pulled with. */
export function checkPullSecret(secret: Secret, report: Report): void {
  const format = formatOf(secret);
  if (format === undefined) return;
  const entries = entriesOf(secret);
  if (entries === undefined)
    report(['data', format.key], `a Secret of type ${secret.type} must have it`);
  else if (!entries.success) {
    report(['data', format.key], `is not what a ${secret.type} holds: ${said(entries.error)}`);
  }
}

/** Without what it holds, which is secret. */
function said({ issues }: z.ZodError): string {
  if (issues.some(({ path }) => path.length === 0)) return 'it is no JSON mapping';
  return issues
    .map(
      ({ path, code, message }) =>
        `${path.join('.')}: ${code === 'custom' ? message : 'is of another type'}`,
    )
    .join(', ');
}

/** Absent where the Secret holds no logins. */
function entriesOf(secret: Secret): z.ZodSafeParseResult<Record<string, Login>> | undefined {
  const format = formatOf(secret);
  const content = format === undefined ? '' : (secret.data[format.key] ?? '');
  return content === '' ? undefined : format?.schema.safeParse(jsonIn(decodeBase64(content)));
}

function formatOf({ type }: Secret): (typeof FORMATS)[keyof typeof FORMATS] | undefined {
  return Object.entries(FORMATS).find(([name]) => name === type)?.[1];
}

/** Absent where it is none. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decoded(base64: string): string {
  try {
    return decodeBase64(base64);
  } catch {
    return '';
  }
}

/** `host:port/path` of what a login is stored under, a URL or the beginning of one. */
function placeKey(place: string): string {
  const [, host = '', path = ''] = /^(?:https?:\/\/)?([^/]*)(.*)$/s.exec(place) ?? [];
  const effective = path.replace(/^\/v[12]\//, '/');
  return effective === '/' ? host : host + effective;
}

/** With the registry and the folder that short names leave out, and without tag and digest. */
function fullName(image: string): string {
  const [name = ''] = image.split('@');
  const bare = name.replace(/:[^/:]*$/, '');
  const [first = '', ...rest] = bare.split('/');
  if (rest.length === 0) return `docker.io/library/${bare}`;
  return /[.:]/.test(first) || first === 'localhost' ? bare : `docker.io/${bare}`;
}

function isOnHub(name: string): boolean {
  return /^(index\.)?docker\.io\//.test(name);
}

function isWithin(name: string, place: string): boolean {
  const [image, wanted] = [split(name), split(place)];
  return (
    image.port === wanted.port &&
    image.host.length === wanted.host.length &&
    image.path.startsWith(wanted.path) &&
    wanted.host.every((part, index) => matches(part, image.host[index] ?? ''))
  );
}

function split(place: string): { host: string[]; port: string; path: string } {
  const [, host = '', port = '', path = ''] = /^([^/:]*)(?::([^/]*))?(.*)$/s.exec(place) ?? [];
  return { host: host.split('.'), port, path };
}

function matches(glob: string, part: string): boolean {
  const pattern = glob.replaceAll(/[^*\w-]/g, String.raw`\$&`).replaceAll('*', '.*');
  return new RegExp(`^${pattern}$`).test(part);
}
