import { issuerOf, orderFor } from '#core/docker/acme.ts';
import { secretTrouble, timeOf } from '#core/docker/certificates.ts';
import type { Ingress } from '#core/docker/kinds-ingress.ts';
import type { AcmeCertificate, AcmeWorld, CertificateOrder, World } from '#core/docker/world.ts';
import type { Health } from '#core/health.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

type Resources = ReadonlyMap<ResourceKey, Resource>;

/** How the certificates stand that an Ingress asks for. */
export function ingressHealth(
  ingress: Ingress,
  world: Pick<World, 'acme' | 'certificates'>,
  records: Resources,
  now: number,
): Health {
  const { acme } = world;
  const keys = new Set(records.keys());
  const asked = ingress.spec.tls.map((tls, index) => {
    const order = acme === undefined ? undefined : orderFor(ingress, tls, acme, keys);
    const health = order === undefined ? undefined : orderHealth(order, acme, now);
    return health === undefined
      ? undefined
      : { ...health, reason: `spec.tls[${index}]: ${health.reason}` };
  });
  const secrets = secretTroubles(ingress, world, records, now);
  const told = [
    ...secrets.map(({ message }): Health => ({ status: 'Degraded', reason: message })),
    unknownIssuer(ingress, acme),
    ...asked,
  ].filter((health) => health !== undefined);
  return (
    told.find(({ status }) => status === 'Degraded') ?? told[0] ?? { status: 'Healthy', reason: '' }
  );
}

/** Why a Secret that the Ingress names is not served: what is in it has to be put right. */
export function uselessSecret(
  ingress: Ingress,
  world: Pick<World, 'certificates'>,
  records: Resources,
  now: number,
): string | undefined {
  return secretTroubles(ingress, world, records, now).find(({ fatal }) => fatal)?.message;
}

function secretTroubles(
  ingress: Ingress,
  world: Pick<World, 'certificates'>,
  records: Resources,
  now: number,
): { message: string; fatal: boolean }[] {
  const { namespace = 'default' } = ingress.metadata;
  return ingress.spec.tls.flatMap(({ secretName }, index) => {
    const secret = records.get(`Secret/${namespace}/${secretName}`);
    const trouble = secret === undefined ? undefined : secretTrouble(secret, world, now);
    if (trouble === undefined) return [];
    const { message, fatal } = trouble;
    const served = fatal ? "; the internal CA's is served" : '';
    const place = `spec.tls[${index}].secretName: the certificate of Secret ${secretName}`;
    return [{ message: `${place} is of no use: ${message}${served}`, fatal }];
  });
}

function unknownIssuer(ingress: Ingress, acme: AcmeWorld | undefined): Health | undefined {
  const issuer = issuerOf(ingress);
  const names = (acme?.issuers ?? []).map(({ name }) => name);
  if (issuer === undefined || names.includes(issuer.name)) return undefined;
  const known = names.length === 0 ? 'it names none' : `it names ${names.join(', ')}`;
  const reason = `metadata.annotations["${issuer.annotation}"]: the Cluster's spec.ingress.issuers have no ${issuer.name}: ${known}`;
  return { status: 'Degraded', reason };
}

function orderHealth(
  { id, issuer, hosts }: CertificateOrder,
  acme: AcmeWorld | undefined,
  now: number,
): Health | undefined {
  const state = acme?.certificates[id];
  const isServed = state?.issued !== undefined && state.issued.until > now;
  if (state?.failed !== undefined)
    return { status: 'Degraded', reason: failure(state, issuer, isServed) };
  if (isServed) return undefined;
  const reason = `${issuer} is asked for a certificate for ${hosts.join(', ')}; until then the internal CA's is served`;
  return { status: 'Progressing', reason };
}

function failure({ failed, issued }: AcmeCertificate, issuer: string, isServed: boolean): string {
  const meanwhile =
    issued !== undefined && isServed
      ? `the one there is lasts until ${timeOf(issued.until)}`
      : "the internal CA's is served";
  return `no certificate of ${issuer}: ${failed?.message}; asked again at ${timeOf(failed?.retryAt ?? 0)}, ${meanwhile}`;
}
