import { UserError } from '#core/errors.ts';

/** By the codes and words of OpenSSL, what the operator can do about them. */
const EXPLAINED: readonly { says: RegExp; what: string; hint: string }[] = [
  {
    says: /^(ERR_SSL_|EPROTO)(.|\n)*\balert\b/i,
    what: 'Docker refuses our certificate',
    hint: "tls.cert must be by the authority that dockerd was given with --tlscacert, not expired, and tls.key the certificate's own",
  },
  {
    says: /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA)/,
    what: "Docker's certificate is not trusted",
    hint: 'tls.ca must be the authority of the certificate that dockerd was given with --tlscert, and that one must be for the address',
  },
  {
    says: /^(ERR_OSSL_|ERR_INVALID_ARG|ERR_CRYPTO)/,
    what: 'the certificates for Docker cannot be used',
    hint: 'tls.ca, tls.cert and tls.key must be PEM, the key without a passphrase and the certificate’s own',
  },
  {
    says: /^(ERR_SSL_|EPROTO)/,
    what: 'Docker speaks no TLS there',
    hint: 'dockerd must run with --tlsverify and listen on that port',
  },
];

/** Absent where the error is no matter of certificates. */
export function explainTls(error: unknown): UserError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const code = String(error.code);
  const found = EXPLAINED.find(({ says }) => says.test(`${code} ${error.message}`));
  if (found === undefined) return undefined;
  const { what, hint } = found;
  return new UserError('unauthorized', `${what}: ${error.message}`, { cause: error, hint });
}
