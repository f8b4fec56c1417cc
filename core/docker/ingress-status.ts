import { issuerOf, orderFor } from '#core/docker/acme.ts';
import type { Ingress } from '#core/docker/kinds-ingress.ts';
import type { AcmeCertificate, AcmeWorld, CertificateOrder, World } from '#core/docker/world.ts';
import type { Health } from '#core/health.ts';

/** How the certificates stand that an Ingress asks for; `records`: the keys of what there is. */
export function ingressHealth(
  ingress: Ingress,
  { acme }: Pick<World, 'acme'>,
  records: ReadonlySet<string>,
  now: number,
): Health {
  const asked = ingress.spec.tls.map((tls, index) => {
    const order = acme === undefined ? undefined : orderFor(ingress, tls, acme, records);
    const health = order === undefined ? undefined : orderHealth(order, acme, now);
    return health === undefined
      ? undefined
      : { ...health, reason: `spec.tls[${index}]: ${health.reason}` };
  });
  const told = [unknownIssuer(ingress, acme), ...asked].filter((health) => health !== undefined);
  return (
    told.find(({ status }) => status === 'Degraded') ?? told[0] ?? { status: 'Healthy', reason: '' }
  );
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
  const names = hosts.join(', ');
  if (state?.failed !== undefined)
    return { status: 'Degraded', reason: failure(state, `${issuer} for ${names}`, isServed) };
  if (isServed) return undefined;
  const reason = `${issuer} is asked for a certificate for ${names}; until then the internal CA's is served`;
  return { status: 'Progressing', reason };
}

function failure({ failed, issued }: AcmeCertificate, what: string, isServed: boolean): string {
  const meanwhile =
    issued !== undefined && isServed
      ? `the one there is lasts until ${timeOf(issued.until)}`
      : "the internal CA's is served";
  return `no certificate of ${what}: ${failed?.message}; asked again at ${timeOf(failed?.retryAt ?? 0)}, ${meanwhile}`;
}

function timeOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
