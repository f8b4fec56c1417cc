import { createECDH, createPrivateKey, hkdfSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const CURVE = 'prime256v1';

/**
 * A private key that follows from the installation's own secret and what it is for: every worker has the same one, and
 * none is kept anywhere.
 */
export function derivePrivateKey(secret: string, purpose: string): KeyObject {
  for (let attempt = 0; ; attempt += 1) {
    const bytes = Buffer.from(hkdfSync('sha256', secret, '', `windlass ${purpose} ${attempt}`, 32));
    const pair = createECDH(CURVE);
    try {
      pair.setPrivateKey(bytes);
    } catch {
      // One of 2^32 is beyond the curve's order.
      continue;
    }
    const point = pair.getPublicKey();
    return createPrivateKey({
      format: 'jwk',
      key: {
        kty: 'EC',
        crv: 'P-256',
        d: bytes.toString('base64url'),
        x: point.subarray(1, 33).toString('base64url'),
        y: point.subarray(33).toString('base64url'),
      },
    });
  }
}
