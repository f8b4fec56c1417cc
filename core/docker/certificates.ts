import { decodeBase64 } from '#core/base64.ts';
import type { RecordedIngress } from '#core/docker/ingress-routes.ts';
import type { EdgeConfig, LiveRecord } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';
import type { Resource } from '#core/resources/resource.ts';

type Data = Record<string, string>;

/**
 * The files with certificates that Ingresses name, the elder Ingress' first. A name says what is in it, so that a changed
 * Secret is another file; the content is there where the Secret is among those in clear.
 */
export function certificatesOf(
  ingresses: readonly RecordedIngress[],
  records: readonly LiveRecord[],
  inClear: readonly { clear: Resource; sealed: Resource }[],
): EdgeConfig['certificates'] {
  const contents = new Map(
    inClear.map(({ clear, sealed }) => [fileOf(sealed), pemOf(dataOf(clear))]),
  );
  const secrets = new Map(records.map(({ key, resource }) => [key, resource]));
  const files = ingresses
    .toSorted((one, other) => one.recordedAt - other.recordedAt)
    .flatMap(({ ingress: { metadata, spec } }) =>
      spec.tls.map(({ secretName }) => `Secret/${metadata.namespace ?? 'default'}/${secretName}`),
    )
    .flatMap((key) => {
      const secret = secrets.get(key);
      return secret === undefined || !isPair(dataOf(secret)) ? [] : [fileOf(secret)];
    });
  return [...new Set(files)].map((file) => {
    const pem = contents.get(file);
    return pem === undefined ? { file } : { file, pem };
  });
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
