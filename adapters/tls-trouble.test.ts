import { expect, it } from 'vitest';
import { tlsTroubleOf } from './tls-trouble.ts';

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** As Node 24 with OpenSSL 3 tells them. */
function openssl(what: string): string {
  return `write EPROTO 80:error:0A000000:SSL routines:ssl3_read_bytes:${what}:../deps/openssl/s3.c:1:SSL alert number 0\n`;
}

it.each([
  ['EPROTO', openssl('tlsv1 alert unknown ca'), 'refuses us'],
  [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    openssl('tlsv13 alert certificate required'),
    'refuses us',
  ],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'IP: 1.2.3.4 is not in the list', 'not trusted'],
  ['ERR_OSSL_PEM_NO_START_LINE', 'no start line', 'unusable'],
  ['EPROTO', openssl('wrong version number'), 'no TLS'],
  ['EPROTO', openssl('packet length too long'), 'no TLS'],
])('knows what %s (%s) is', (code, message, is) => {
  expect(tlsTroubleOf(failure(code, message))).toBe(is);
});

it.each([
  ['EPROTO', openssl('tlsv1 alert internal error')],
  ['ERR_SSL_BAD_RECORD_TYPE', openssl('bad record type')],
  ['ECONNRESET', 'socket hang up'],
  ['ERR_INVALID_ARG_TYPE', 'the argument must be of type string'],
])('takes %s for something that passes', (code, message) => {
  expect(tlsTroubleOf(failure(code, message))).toBeUndefined();
});
