import { createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '#core/errors.ts';

/** Why HAProxy would not have it; absent where it would. */
export function certificateProblem(pem: string): string | undefined {
  try {
    const isPair = new X509Certificate(pem).checkPrivateKey(createPrivateKey(pem));
    return isPair ? undefined : 'tls.key is not the key of tls.crt';
  } catch (error) {
    return messageOf(error);
  }
}
