import { UserError } from '#core/errors.ts';
import { tlsTroubleOf } from '#adapters/tls-trouble.ts';
import type { TlsTrouble } from '#adapters/tls-trouble.ts';

const EXPLAINED: Readonly<Record<TlsTrouble, { what: string; hint: string }>> = {
  'refuses us': {
    what: 'refuses our certificate',
    hint: "client-certificate must be by an authority that the API server knows, not expired, and client-key the certificate's own",
  },
  'not trusted': {
    what: 'shows a certificate that is not trusted',
    hint: 'certificate-authority must be the authority of its certificate, and that one must be for the address, or for tls-server-name',
  },
  unusable: {
    what: 'cannot be asked with the certificates of the kubeconfig',
    hint: 'certificate-authority, client-certificate and client-key must be PEM, the key without a passphrase and the certificate’s own',
  },
  'no TLS': {
    what: 'speaks no TLS there',
    hint: 'take http:// in `server`, or the port on which it does',
  },
};

/** Absent where the error is no matter of certificates; else it does not pass by itself. */
export function explainTls(error: unknown, server: string): UserError | undefined {
  const trouble = tlsTroubleOf(error);
  if (trouble === undefined || !(error instanceof Error)) return undefined;
  const { what, hint } = EXPLAINED[trouble];
  return new UserError('unauthorized', `the API server ${server} ${what}: ${error.message}`, {
    cause: error,
    hint,
  });
}
