import { UserError } from '#core/errors.ts';
import { tlsTroubleOf } from '#adapters/tls-trouble.ts';
import type { TlsTrouble } from '#adapters/tls-trouble.ts';

const EXPLAINED: Readonly<Record<TlsTrouble, { what: string; hint: string }>> = {
  'refuses us': {
    what: 'Docker refuses our certificate',
    hint: "tls.cert must be by the authority that dockerd was given with --tlscacert, not expired, and tls.key the certificate's own",
  },
  'not trusted': {
    what: "Docker's certificate is not trusted",
    hint: 'tls.ca must be the authority of the certificate that dockerd was given with --tlscert, and that one must be for the address',
  },
  unusable: {
    what: 'the certificates for Docker cannot be used',
    hint: 'tls.ca, tls.cert and tls.key must be PEM, the key without a passphrase and the certificate’s own',
  },
  'no TLS': {
    what: 'Docker speaks no TLS there',
    hint: 'dockerd must run with --tlsverify and listen on that port',
  },
};

/** Absent where the error is no matter of certificates. */
export function explainTls(error: unknown): UserError | undefined {
  const trouble = tlsTroubleOf(error);
  if (trouble === undefined || !(error instanceof Error)) return undefined;
  const { what, hint } = EXPLAINED[trouble];
  return new UserError('unauthorized', `${what}: ${error.message}`, { cause: error, hint });
}
