import { createPublicKey, generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { OwnCertificate } from '#core/docker/world.ts';
import { derivePrivateKey } from './derived-keys.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };
const VALID = { notBefore: new Date('2020-01-01'), notAfter: new Date('2049-12-31') };

/** The authority for names that no other one is asked for. Its key is the same for all workers of an installation. */
export interface InternalCa {
  /** Its certificate, PEM, which browsers and clients are to trust. */
  certificate(): Promise<string>;
  /** A new certificate and its key, PEM. */
  issue(wanted: OwnCertificate): Promise<string>;
}

export function createInternalCa(secret: string, installation: string): InternalCa {
  const key = derivePrivateKey(secret, 'internal CA');
  const name = `CN=Windlass ${installation}`;

  async function keys(): Promise<{ own: webcrypto.CryptoKey; known: webcrypto.CryptoKey }> {
    const own = await importKey(key, 'sign');
    return { own, known: await importKey(createPublicKey(key), 'verify') };
  }

  return {
    async certificate() {
      const { own, known } = await keys();
      const made = await X509CertificateGenerator.createSelfSigned({
        name,
        keys: { privateKey: own, publicKey: known },
        signingAlgorithm: SIGNING,
        ...VALID,
        extensions: [
          new BasicConstraintsExtension(true, 0, true),
          new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
          await SubjectKeyIdentifierExtension.create(known),
        ],
      });
      return `${made.toString('pem')}\n`;
    },
    async issue({ hosts, from, until }) {
      const { own, known } = await keys();
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const publicKey = await importKey(pair.publicKey, 'verify');
      const made = await X509CertificateGenerator.create({
        serialNumber: `01${randomBytes(15).toString('hex')}`,
        issuer: name,
        subject: `CN=${(hosts[0] ?? '').slice(0, 64)}`,
        notBefore: new Date(from),
        notAfter: new Date(until),
        publicKey,
        signingKey: own,
        signingAlgorithm: SIGNING,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value }))),
          await AuthorityKeyIdentifierExtension.create(known),
          await SubjectKeyIdentifierExtension.create(publicKey),
        ],
      });
      const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
      return `${made.toString('pem')}\n${String(privateKey)}`;
    },
  };
}

function importKey(key: KeyObject, use: 'sign' | 'verify'): Promise<webcrypto.CryptoKey> {
  const jwk = key.export({ format: 'jwk' });
  return webcrypto.subtle.importKey('jwk', jwk as webcrypto.JsonWebKey, EC, true, [use]);
}
