import { decodeBase64 } from '#core/base64.ts';
import type { RecordedIngress } from '#core/docker/ingress-routes.ts';
import { readAnnotations } from '#core/docker/ingress-annotations.ts';
import type { EdgeConfig, LiveRecord } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';
import type { Resource } from '#core/resources/resource.ts';

type Data = Record<string, string>;
type Users = EdgeConfig['users'][number];

const USER = /^[\w.@+-]+$/;
/** What crypt(3) knows everywhere; `htpasswd` alone knows its $apr1$. */
const HASH = /^\$(1|5|6|2[aby])\$[\w./$=]+$/;

/** A Secret's users, as `htpasswd` writes them, and the lines that HAProxy could not have. */
export function parseUsers(text: string): {
  users: { name: string; hash: string }[];
  wrong: string[];
} {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const parsed = lines.map((line) => {
    const colon = line.indexOf(':');
    return { name: line.slice(0, colon), hash: line.slice(colon + 1) };
  });
  return {
    users: parsed.filter(isRight),
    wrong: parsed.filter((user) => !isRight(user)).map(({ name }) => name),
  };
}

function isRight({ name, hash }: { name: string; hash: string }): boolean {
  return USER.test(name) && HASH.test(hash);
}

/**
 * The users of each Secret that an Ingress asks passwords by. A name of a file says what is in it; the content is there where
 * the Secret is among those in clear. Without a Secret nobody gets in.
 */
export function usersOf(
  ingresses: readonly RecordedIngress[],
  records: readonly LiveRecord[],
  inClear: readonly { clear: Resource; sealed: Resource }[],
): Users[] {
  const contents = new Map(inClear.map(({ clear, sealed }) => [fileOf(sealed), authOf(clear)]));
  const secrets = new Map(records.map(({ key, resource }) => [key, resource]));
  const asked = ingresses.flatMap(({ ingress: { metadata } }) => {
    const name = readAnnotations(metadata.annotations)['auth-secret'];
    return name === undefined ? [] : [`${metadata.namespace ?? 'default'}/${name}`];
  });
  return [...new Set(asked)].toSorted().map((name) => {
    const list = userlistOf(name);
    const secret = secrets.get(`Secret/${name}`);
    if (secret === undefined) return { list };
    const file = fileOf(secret);
    const text = contents.get(file);
    return text === undefined ? { list, file } : { list, file, text };
  });
}

/** HAProxy's name of the users of a Secret, given as `namespace/name`. */
export function userlistOf(name: string): string {
  return `users.${name.replace('/', '.')}`;
}

/** Where the names and hashes go into the configuration, which itself does not know them. */
export function usersMark(file: string): string {
  return `  # ${file}`;
}

export function userLines(text: string): string {
  return parseUsers(text)
    .users.map(({ name, hash }) => `  user ${name} password '${hash}'`)
    .join('\n');
}

function dataOf(secret: Resource): Data {
  return (secret['data'] ?? {}) as Data;
}

function fileOf(sealed: Resource): string {
  const { namespace = 'default', name } = sealed.metadata;
  return `users-${namespace}.${name}-${contentHash(dataOf(sealed))}`;
}

function authOf(secret: Resource): string {
  return decodeBase64(dataOf(secret)['auth'] ?? '');
}
