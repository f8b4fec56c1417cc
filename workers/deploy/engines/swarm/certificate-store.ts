import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { MARK, marksOf } from '#core/swarm/marks.ts';
import { certificateName } from '#core/swarm/names.ts';
import type { ReadKept } from '../docker/certificate-orders.ts';
import type { SwarmContext } from './context.ts';
import type { ListedFile } from './listed.ts';
import { filterOurs } from './observe.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A config has to hold something; what is kept is in its labels, which can be written anew. */
const CONTENT = Buffer.from('certificate').toString('base64');

/**
 * What is kept of certificates, among the managers: whichever server is lost, another worker reads it from any manager.
 * Nobody can read a secret of Swarm back, so it is a config; only who has the installation's own secret can open it.
 */
export interface CertificateStore {
  read: ReadKept;
  write(name: string, text: string, signal: AbortSignal): Promise<void>;
  removeAll(signal: AbortSignal): Promise<void>;
}

export function createCertificateStore(context: SwarmContext, secret: string): CertificateStore {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'windlass certificates', 32));

  async function list(signal: AbortSignal): Promise<ListedFile[]> {
    const query = { filters: filterOurs(context, { [MARK.role]: 'certificate' }) };
    const request = { method: 'GET', path: '/configs', query, signal } as const;
    return (await callDocker<ListedFile[] | null>(context.docker, request)) ?? [];
  }

  async function find(name: string, signal: AbortSignal): Promise<ListedFile | undefined> {
    const wanted = certificateName(context, name);
    return (await list(signal)).find(({ Spec }) => Spec.Name === wanted);
  }

  return {
    async read(name, signal) {
      const kept = (await find(name, signal))?.Spec.Labels?.[MARK.kept];
      return kept === undefined ? undefined : open(kept, key);
    },
    async write(name, text, signal) {
      const found = await find(name, signal);
      const body = {
        Name: certificateName(context, name),
        Labels: { ...marksOf(context, 'certificate'), [MARK.kept]: close(text, key) },
        Data: CONTENT,
      };
      const request =
        found === undefined
          ? { path: '/configs/create' }
          : { path: `/configs/${found.ID}/update`, query: { version: found.Version.Index } };
      await callDocker(context.docker, { method: 'POST', ...request, body, signal });
    },
    async removeAll(signal) {
      for (const { ID } of await list(signal)) {
        const request = { method: 'DELETE', path: `/configs/${ID}`, signal } as const;
        await callDocker(context.docker, request).catch((error: unknown) => {
          if (!isStatus(error, 404)) throw error;
        });
      }
    },
  };
}

function close(text: string, key: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

/** What cannot be opened counts for nothing: a certificate can be had again. */
function open(kept: string, key: Buffer): string | undefined {
  const bytes = Buffer.from(kept, 'base64');
  const [nonce, tag] = [
    bytes.subarray(0, NONCE_BYTES),
    bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES),
  ];
  try {
    const decipher = createDecipheriv(CIPHER, key, nonce);
    decipher.setAuthTag(tag);
    const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString();
  } catch {
    return undefined;
  }
}
