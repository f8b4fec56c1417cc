/** What is wrong with a connection by TLS, by who has to mend it. */
export type TlsTrouble = 'refuses us' | 'not trusted' | 'unusable' | 'no TLS';

/** By the codes and words of OpenSSL and Node. What a server says that is only not ready is none of these, and passes. */
const TROUBLES: readonly (readonly [TlsTrouble, RegExp])[] = [
  [
    'refuses us',
    /^(ERR_SSL_|EPROTO)(.|\n)*\balert (bad certificate|unsupported certificate|certificate \w+|unknown ca|handshake failure|access denied)/i,
  ],
  [
    'not trusted',
    /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA)/,
  ],
  ['unusable', /^(ERR_OSSL_|ERR_CRYPTO)/],
  [
    'no TLS',
    /^(ERR_SSL_|EPROTO)(.|\n)*\b(wrong version number|packet length too long|http request|unknown protocol)/i,
  ],
];

/** Absent where the error is no matter of certificates. */
export function tlsTroubleOf(error: unknown): TlsTrouble | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const said = `${String(error.code)} ${error.message}`;
  return TROUBLES.find(([, says]) => says.test(said))?.[0];
}
