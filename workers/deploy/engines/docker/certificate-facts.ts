import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CertificateFacts } from '#core/docker/world.ts';
import { messageOf } from '#core/errors.ts';

/** What a file with a certificate and its key holds. */
export function certificateFacts(pem: string): CertificateFacts {
  try {
    const certificate = new X509Certificate(pem);
    return certificate.checkPrivateKey(createPrivateKey(pem))
      ? { until: Date.parse(certificate.validTo) }
      : { problem: 'tls.key is not the key of tls.crt' };
  } catch (error) {
    return { problem: `it cannot be read: ${messageOf(error)}` };
  }
}
