import { setTimeout as sleep } from 'node:timers/promises';
import { Client, crypto } from 'acme-client';
import type { Authorization, Order } from 'acme-client';
import { z } from 'zod';
import { messageOf } from '#core/errors.ts';
import { converse } from './transport.ts';
import type { Call } from './transport.ts';

const FIRST_POLL_MS = 500;
const LONGEST_POLL_MS = 10_000;

export interface AcmeServer {
  /** URL of its directory. */
  server: string;
  email?: string | undefined;
  /** PEM, of the authority by which the server itself is known; absent: the public ones. */
  ca?: string | undefined;
}

/** An order that was placed: whoever has it can go on with it. */
interface AcmeOrder {
  url: string;
  /** Of the certificate that was ordered, PEM. */
  key: string;
}

/** Why there is no certificate, in the server's words where it said something. */
export class AcmeError extends Error {
  override readonly name = 'AcmeError';
  /** The server refused it. Otherwise it did not answer, or could not. */
  readonly refused: boolean;
  /** The order is as good as it was: it is to be gone on with. */
  readonly keepsOrder: boolean;
  readonly retryAfterMs: number;

  constructor(
    message: string,
    { refused, keepsOrder, retryAfterMs = 0 }: Verdict,
    options: ErrorOptions = {},
  ) {
    super(message, options);
    this.refused = refused;
    this.keepsOrder = keepsOrder;
    this.retryAfterMs = retryAfterMs;
  }
}

interface Verdict {
  refused: boolean;
  keepsOrder: boolean;
  retryAfterMs?: number;
}

interface Asked {
  /** PEM. */
  accountKey: string;
  hosts: readonly string[];
  /** One that was placed before. */
  order: AcmeOrder | undefined;
  /** Called before the server is asked to look whose the hosts are. */
  onOrder: (order: AcmeOrder) => Promise<void>;
}

const Told = z.object({ error: z.object({ detail: z.string() }).optional() });

/**
 * Certificate chain and key, PEM. The hosts answer `/.well-known/acme-challenge/<token>` with the token, a dot and the
 * thumbprint of the account's key. To ask is to agree to the server's terms of service.
 *
 * @throws AcmeError
 */
export async function obtainCertificate(
  server: AcmeServer,
  asked: Asked,
  signal: AbortSignal,
): Promise<string> {
  return converse(server.ca, signal, async (call) => {
    try {
      return await obtain(server, asked, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AcmeError ? error : explain(error, call);
    }
  });
}

async function obtain(
  { server, email }: AcmeServer,
  { accountKey, hosts, order: placed, onOrder }: Asked,
  signal: AbortSignal,
): Promise<string> {
  const client = new Client({ directoryUrl: server, accountKey });
  const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
  await client.createAccount({ termsOfServiceAgreed: true, ...contact });
  const key = placed?.key ?? String(await crypto.createPrivateEcdsaKey());
  let order =
    placed === undefined
      ? await client.createOrder({ identifiers: hosts.map((value) => ({ type: 'dns', value })) })
      : await client.getOrder({ url: placed.url } as Order);
  if (placed === undefined) await onOrder({ url: order.url, key });
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(LONGEST_POLL_MS, pollMs * 2)) {
    if (order.status === 'valid') return `${await client.getCertificate(order)}\n${key}`;
    const authorizations = await client.getAuthorizations(order);
    if (order.status === 'pending') await proveHosts(client, authorizations);
    if (order.status === 'ready') {
      const [, request] = await crypto.createCsr({ altNames: [...hosts] }, key);
      await client.finalizeOrder(order, request);
    }
    if (order.status === 'invalid') throw refusal(order, authorizations);
    await sleep(pollMs, undefined, { signal });
    order = await client.getOrder(order);
  }
}

/** A server that could not see it may say so and leave it open: it is told, and tried again with the same order. */
async function proveHosts(client: Client, authorizations: readonly Authorization[]): Promise<void> {
  for (const { identifier, status, challenges } of authorizations) {
    const challenge = challenges.find(({ type }) => type === 'http-01');
    if (status !== 'pending') continue;
    if (challenge === undefined)
      throw new AcmeError(`it does not look at ${identifier.value} by HTTP`, {
        refused: true,
        keepsOrder: false,
      });
    if (challenge.status !== 'pending') continue;
    const detail = detailOf(await client.completeChallenge(challenge));
    if (detail !== undefined)
      throw new AcmeError(`${identifier.value}: ${detail}`, { refused: true, keepsOrder: true });
  }
}

function refusal(order: Order, authorizations: readonly Authorization[]): AcmeError {
  const details = authorizations.flatMap(({ identifier, challenges }) =>
    challenges.flatMap((challenge) => {
      const detail = detailOf(challenge);
      return detail === undefined ? [] : [`${identifier.value}: ${detail}`];
    }),
  );
  const message = details[0] ?? detailOf(order) ?? 'it refused the order, and did not say why';
  return new AcmeError(message, { refused: true, keepsOrder: false });
}

function detailOf(answer: unknown): string | undefined {
  const told = Told.safeParse(answer);
  return told.success ? told.data.error?.detail : undefined;
}

function explain(error: unknown, { status, retryAfter }: Call): AcmeError {
  const code = z.object({ code: z.string() }).safeParse(error).data?.code;
  const message = messageOf(error) || code || 'it did not answer';
  const refused = status !== undefined && status >= 400 && status < 500;
  return new AcmeError(
    message,
    { refused, keepsOrder: !refused, retryAfterMs: waitOf(retryAfter) },
    { cause: error },
  );
}

/** Seconds, or a date. */
function waitOf(retryAfter = ''): number {
  const wait = /^\d+$/.test(retryAfter)
    ? Number(retryAfter) * 1_000
    : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : 0;
}
