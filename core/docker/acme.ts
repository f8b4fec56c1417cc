import { ISSUER_ANNOTATIONS } from '#core/docker/ingress-annotations.ts';
import { tlsHostsOf } from '#core/docker/ingress-routes.ts';
import type { RecordedIngress } from '#core/docker/ingress-routes.ts';
import type { Ingress } from '#core/docker/kinds-ingress.ts';
import type {
  AcmeWorld,
  CertificateOrder,
  IssuedCertificate,
  LiveRecord,
} from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

const MINUTE_MS = 60_000;
/** Let's Encrypt ends it for an hour after five refusals of a host within one. */
const AFTER_REFUSAL_MS = [1, 5, 20, 60, 240, 720].map((minutes) => minutes * MINUTE_MS);
const LONGEST_AFTER_REFUSAL_MS = 1_440 * MINUTE_MS;
const FIRST_AFTER_SILENCE_MS = 10_000;
const LONGEST_AFTER_SILENCE_MS = 10 * MINUTE_MS;

/** The annotation by which an Ingress asks for certificates, and the issuer's name there. */
export function issuerOf({
  metadata: { annotations = {} },
}: Ingress): { annotation: string; name: string } | undefined {
  for (const annotation of ISSUER_ANNOTATIONS) {
    const name = annotations[annotation];
    if (name !== undefined) return { annotation, name };
  }
  return undefined;
}

/**
 * The certificate for an entry of `spec.tls`; absent where none is asked for, the issuer is not known, or the Secret is among
 * the manifests. The same hosts of the same server are one certificate, whoever asks for it.
 */
export function orderFor(
  ingress: Ingress,
  tls: Ingress['spec']['tls'][number],
  { issuers }: Pick<AcmeWorld, 'issuers'>,
  records: ReadonlySet<string>,
): CertificateOrder | undefined {
  const issuer = issuers.find(({ name }) => name === issuerOf(ingress)?.name);
  const { namespace = 'default' } = ingress.metadata;
  if (issuer === undefined || tls.secretName === undefined) return undefined;
  if (records.has(`Secret/${namespace}/${tls.secretName}`)) return undefined;
  const hosts = tlsHostsOf(ingress, tls);
  if (hosts.length === 0) return undefined;
  return { id: contentHash({ server: issuer.server, hosts }), issuer: issuer.name, hosts };
}

/** All that Ingresses ask for. */
export function ordersOf(
  ingresses: readonly RecordedIngress[],
  acme: Pick<AcmeWorld, 'issuers'>,
  records: readonly LiveRecord[],
): CertificateOrder[] {
  const keys = new Set(records.map(({ key }) => key));
  const orders = ingresses.flatMap(({ ingress }) =>
    ingress.spec.tls.flatMap((tls) => orderFor(ingress, tls, acme, keys) ?? []),
  );
  return [...new Map(orders.map((order) => [order.id, order])).values()];
}

/**
 * When a certificate is to be ordered, ms since the epoch: at once, after a failure in its time, and of one that there is at
 * two thirds of its life. Absent while it is ordered, or where nobody knows how it stands.
 */
export function orderAt({ id }: CertificateOrder, { certificates }: AcmeWorld): number | undefined {
  const state = certificates[id];
  if (state === undefined || state.ordering === true) return undefined;
  const renewal = state.issued === undefined ? 0 : renewalAt(state.issued);
  return Math.max(renewal, state.failed?.retryAt ?? 0);
}

/** By a clock that is wrong a new one may look old: it is kept for a third of its life all the same. */
function renewalAt({ from, until, issuedAt }: IssuedCertificate): number {
  const third = (until - from) / 3;
  return Math.max(until - third, issuedAt + third);
}

/** When to ask again after so many failures in a row; `refused`: the server counts them. */
export function retryAt(
  { times, refused, retryAfterMs }: { times: number; refused: boolean; retryAfterMs: number },
  now: number,
): number {
  const patience = refused
    ? (AFTER_REFUSAL_MS[times - 1] ?? LONGEST_AFTER_REFUSAL_MS)
    : Math.min(LONGEST_AFTER_SILENCE_MS, FIRST_AFTER_SILENCE_MS * 2 ** (times - 1));
  return now + Math.max(patience, retryAfterMs);
}
