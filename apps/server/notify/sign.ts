import { createHmac } from 'node:crypto';

const ENCODED = 'whsec_';

/**
 * The headers by which a receiver knows who sent a body, and that it is not sent again by somebody else:
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. A secret that begins with
 * `whsec_` is base64.
 */
export function signingHeaders(
  { id, body, seconds }: { id: string; body: string; seconds: number },
  secret: string | undefined,
): Record<string, string> {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(seconds) };
  if (secret === undefined) return headers;
  const key = secret.startsWith(ENCODED)
    ? Buffer.from(secret.slice(ENCODED.length), 'base64')
    : Buffer.from(secret, 'utf8');
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}
