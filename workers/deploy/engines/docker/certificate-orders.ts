import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { AcmeError, obtainCertificate } from '#adapters/acme/obtain-certificate.ts';
import type { Issuer } from '#core/declarations/cluster.ts';
import { retryAt } from '#core/docker/acme.ts';
import type {
  AcmeCertificate,
  AcmeWorld,
  CertificateOrder,
  IssuedCertificate,
} from '#core/docker/world.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import { certificateFacts } from './certificate-facts.ts';
import type { DockerContext } from './context.ts';

const ORDER_TIMEOUT_MS = 300_000;
const AT_ONCE = 4;

/** What is kept of each, so that the next worker goes on from there. */
const Kept = z.strictObject({
  pem: z.string().optional(),
  issuedAt: z.number().optional(),
  /** One that was placed and has not ended. */
  order: z.strictObject({ url: z.string(), key: z.string() }).optional(),
  failed: z
    .strictObject({ times: z.number(), message: z.string(), retryAt: z.number() })
    .optional(),
});
type Kept = z.infer<typeof Kept>;

/** What is kept under a name; absent where nothing is. */
export type ReadKept = (name: string, signal: AbortSignal) => Promise<string | undefined>;

/** Certificates that authorities give by ACME, asked for beside the passes. */
export interface CertificateOrders {
  issuers: readonly Issuer[];
  /** How they stand; of those that this worker does not know yet by what is kept, where that can be read now. */
  look(
    orders: readonly CertificateOrder[],
    read: ReadKept | undefined,
    signal: AbortSignal,
  ): Promise<AcmeWorld>;
  /** False where it is asked for already, or as many are as may be at once: the next one's turn comes when one ended. */
  begin(order: CertificateOrder): boolean;
  close(): Promise<void>;
}

export function createCertificateOrders(
  context: Pick<DockerContext, 'cluster' | 'log'>,
  write: (name: string, text: string, signal: AbortSignal) => Promise<void>,
  { issuers, accountKey }: { issuers: readonly Issuer[]; accountKey: KeyObject },
  onChange: (what: string) => void,
): CertificateOrders {
  const known = new Map<string, Kept>();
  const running = new Map<string, Promise<void>>();
  const closing = new AbortController();
  const thumbprint = thumbprintOf(accountKey);
  const { cluster, log } = context;

  async function learn(id: string, read: ReadKept, signal: AbortSignal): Promise<void> {
    const text = await read(nameOf(id), signal);
    if (!known.has(id)) known.set(id, parse(text));
  }

  async function keep(id: string, kept: Kept, signal: AbortSignal): Promise<void> {
    known.set(id, kept);
    await write(nameOf(id), JSON.stringify(kept), signal);
  }

  async function run({ id, issuer: name, hosts }: CertificateOrder): Promise<void> {
    const issuer = issuers.find((each) => each.name === name);
    if (issuer === undefined) return;
    const timeout = AbortSignal.timeout(ORDER_TIMEOUT_MS);
    const signal = AbortSignal.any([closing.signal, timeout]);
    log.info({ cluster, issuer: name, hosts }, 'certificate asked for');
    try {
      const pem = await obtainCertificate(
        issuer,
        {
          accountKey: String(accountKey.export({ type: 'pkcs8', format: 'pem' })),
          hosts,
          order: known.get(id)?.order,
          onOrder: (order) => keep(id, { ...known.get(id), order }, signal),
        },
        signal,
      );
      const { problem } = certificateFacts(pem);
      if (problem !== undefined) throw new Error(`what it gave is no certificate: ${problem}`);
      await keep(id, { pem, issuedAt: Date.now() }, signal);
      log.info({ cluster, issuer: name, hosts }, 'certificate issued');
    } catch (error) {
      if (closing.signal.aborted) return;
      await fail(id, timeout.aborted ? tooLate() : error);
      const { failed } = known.get(id) ?? {};
      log.warn({ cluster, issuer: name, hosts, ...failed }, 'no certificate');
    }
  }

  async function fail(id: string, error: unknown): Promise<void> {
    const { failed, order, ...rest } = known.get(id) ?? {};
    const { refused, keepsOrder, retryAfterMs } =
      error instanceof AcmeError ? error : { refused: false, keepsOrder: true, retryAfterMs: 0 };
    const times = (failed?.times ?? 0) + 1;
    const next = retryAt({ times, refused, retryAfterMs }, Date.now());
    const kept = {
      ...rest,
      ...(keepsOrder && order !== undefined ? { order } : {}),
      failed: { times, message: messageOf(error), retryAt: next },
    };
    // Not kept it is known here all the same.
    await keep(id, kept, closing.signal).catch((problem: unknown) =>
      log.warn({ cluster, reason: messageOf(problem) }, 'an order of a certificate was not kept'),
    );
  }

  return {
    issuers,
    async look(orders, read, signal) {
      if (read !== undefined) {
        const unknown = orders.filter(({ id }) => !known.has(id));
        await Promise.all(unknown.map(({ id }) => learn(id, read, signal)));
      }
      const certificates = orders.flatMap(({ id }) => {
        const kept = known.get(id);
        return kept === undefined ? [] : [[id, stateOf(id, kept, running.has(id))] as const];
      });
      return { issuers, thumbprint, certificates: Object.fromEntries(certificates) };
    },
    begin(order) {
      const { id } = order;
      if (closing.signal.aborted || running.has(id) || running.size >= AT_ONCE) return false;
      const asked = run(order).finally(() => {
        running.delete(id);
        onChange(`certificate ${order.hosts.join(', ')}`);
      });
      running.set(id, asked);
      return true;
    },
    async close() {
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      await Promise.all(running.values());
    },
  };
}

function stateOf(
  id: string,
  { pem, issuedAt = 0, failed }: Kept,
  ordering: boolean,
): AcmeCertificate {
  return {
    ...(pem === undefined ? {} : { issued: issuedOf(id, pem, issuedAt) }),
    ...(ordering ? { ordering } : {}),
    ...(failed === undefined ? {} : { failed }),
  };
}

function issuedOf(id: string, pem: string, issuedAt: number): IssuedCertificate {
  const certificate = new X509Certificate(pem);
  return {
    file: `tls-acme.${id}-${contentHash(certificate.fingerprint256)}.pem`,
    pem,
    from: Date.parse(certificate.validFrom),
    until: Date.parse(certificate.validTo),
    issuedAt,
  };
}

/** What cannot be read counts for nothing: a certificate can be had again. */
function parse(text: string | undefined): Kept {
  try {
    const kept = Kept.parse(JSON.parse(text ?? '{}'));
    return kept.pem === undefined || certificateFacts(kept.pem).problem === undefined ? kept : {};
  } catch {
    return {};
  }
}

function tooLate(): AcmeError {
  return new AcmeError(`it took longer than ${ORDER_TIMEOUT_MS / 60_000} min`, {
    refused: false,
    keepsOrder: true,
  });
}

function nameOf(id: string): string {
  return `acme-${id}.json`;
}

/** RFC 7638. */
function thumbprintOf(key: KeyObject): string {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}
