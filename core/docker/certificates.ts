import { decodeBase64 } from '#core/base64.ts';
import { orderFor } from '#core/docker/acme.ts';
import { tlsHostsOf } from '#core/docker/ingress-routes.ts';
import type { RecordedIngress } from '#core/docker/ingress-routes.ts';
import type { Ingress } from '#core/docker/kinds-ingress.ts';
import type { EdgeCertificate, LiveRecord, World } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';
import type { Resource } from '#core/resources/resource.ts';

type Data = Record<string, string>;
type Tls = Ingress['spec']['tls'][number];

const DAY_MS = 86_400_000;
const PERIOD_MS = 30 * DAY_MS;
const VALID_MS = 90 * DAY_MS;

/**
 * The files with certificates that Ingresses ask for, the elder Ingress' first: of a Secret, else of an ACME server, else one
 * that the internal CA signs, as where the Secret's is of no use. A name says what is in it, so that a changed Secret is
 * another file, and so is the next one of the internal CA; the content is there where the Secret is among those in clear.
 */
export function certificatesOf(
  ingresses: readonly RecordedIngress[],
  records: readonly LiveRecord[],
  inClear: readonly { clear: Resource; sealed: Resource }[],
  { acme, certificates = {} }: Pick<World, 'acme' | 'certificates'>,
  now: number,
): EdgeCertificate[] {
  const contents = new Map(
    inClear.map(({ clear, sealed }) => [fileOf(sealed), pemOf(dataOf(clear))]),
  );
  const secrets = new Map(records.map(({ key, resource }) => [key, resource]));
  const keys = new Set(secrets.keys());
  const found = ingresses
    .toSorted((one, other) => one.recordedAt - other.recordedAt)
    .flatMap(({ ingress }) => ingress.spec.tls.map((tls) => ({ ingress, tls })))
    .flatMap(({ ingress, tls }): EdgeCertificate[] => {
      const { namespace = 'default' } = ingress.metadata;
      const secret = secrets.get(`Secret/${namespace}/${tls.secretName}`);
      if (secret === undefined || !isPair(dataOf(secret)))
        return issued(ingress, tls) ?? own(tlsHostsOf(ingress, tls), now);
      const file = fileOf(secret);
      if (certificates[file]?.problem !== undefined) return own(tlsHostsOf(ingress, tls), now);
      const pem = contents.get(file);
      return [pem === undefined ? { file } : { file, pem }];
    });
  return [...new Map(found.map((each) => [each.file, each])).values()];

  function issued(ingress: Ingress, tls: Tls): EdgeCertificate[] | undefined {
    if (acme === undefined) return undefined;
    const order = orderFor(ingress, tls, acme, keys);
    const had = order === undefined ? undefined : acme.certificates[order.id]?.issued;
    if (had === undefined || had.until <= now) return undefined;
    const { file, pem } = had;
    return certificates[file]?.problem === undefined ? [{ file, pem }] : undefined;
  }
}

/** What is wrong with the certificate in a Secret, as far as it is known; `fatal`: it is not served. */
export function secretTrouble(
  secret: Resource,
  { certificates = {} }: Pick<World, 'certificates'>,
  now: number,
): { message: string; fatal: boolean } | undefined {
  const lacking = ['tls.crt', 'tls.key'].find((key) => !(key in dataOf(secret)));
  if (lacking !== undefined) return { message: `it has no key ${lacking}`, fatal: true };
  const { problem, until = Infinity } = certificates[fileOf(secret)] ?? {};
  if (problem !== undefined) return { message: problem, fatal: true };
  return until <= now ? { message: `it expired at ${timeOf(until)}`, fatal: false } : undefined;
}

export function timeOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Of the current period: the next one's follows long before it ends. */
function own(hosts: string[], now: number): EdgeCertificate[] {
  if (hosts.length === 0) return [];
  const period = Math.floor(now / PERIOD_MS);
  const from = period * PERIOD_MS - DAY_MS;
  const file = `own-${contentHash(hosts)}-${period}.pem`;
  return [{ file, own: { hosts, from, until: from + VALID_MS } }];
}

function dataOf(secret: Resource): Data {
  return (secret['data'] ?? {}) as Data;
}

function isPair(data: Data): boolean {
  return data['tls.crt'] !== undefined && data['tls.key'] !== undefined;
}

function fileOf(sealed: Resource): string {
  const { namespace = 'default', name } = sealed.metadata;
  return `tls-${namespace}.${name}-${contentHash(dataOf(sealed))}.pem`;
}

function pemOf(data: Data): string {
  return `${decodeBase64(data['tls.crt'] ?? '')}\n${decodeBase64(data['tls.key'] ?? '')}\n`;
}
