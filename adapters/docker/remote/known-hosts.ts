import { createHmac } from 'node:crypto';

/** What lines of known_hosts say of the key that a host shows. `changed`: they name others of its type. */
export type HostKeyVerdict = 'known' | 'unknown' | 'changed' | 'revoked';

interface Line {
  isRevoked: boolean;
  type: string;
  key: string;
}

/** What the ssh library can be told to ask for, by the type that stands in a line. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
  'ssh-dss': ['ssh-dss'],
};

const NAME_LENGTH_BYTES = 4;
const SSH_PORT = 22;

export function judgeHostKey(knownHosts: string, host: string, key: Buffer): HostKeyVerdict {
  const lines = linesOf(knownHosts, host);
  const encoded = key.toString('base64');
  const same = lines.filter((line) => line.key === encoded);
  if (same.some(({ isRevoked }) => isRevoked)) return 'revoked';
  if (same.length > 0) return 'known';
  const isOther = lines.some(({ type, isRevoked }) => !isRevoked && type === keyType(key));
  return isOther ? 'changed' : 'unknown';
}

/** Types of the keys that are known of a host, as a server is asked for them; those that nobody here can check are left out. */
export function knownKeyTypes(knownHosts: string, host: string): string[] {
  const lines = linesOf(knownHosts, host).filter(({ isRevoked }) => !isRevoked);
  const types = new Set(lines.map(({ type }) => type));
  return [...types].flatMap((type) => ALGORITHMS[type] ?? []);
}

/** The name of a host as it stands in known_hosts. */
export function knownHostName(host: string, port: number): string {
  return port === SSH_PORT ? host : `[${host}]:${port}`;
}

export function keyType(key: Buffer): string {
  return key.toString('latin1', NAME_LENGTH_BYTES, NAME_LENGTH_BYTES + key.readUInt32BE(0));
}

/** Those of certificate authorities say nothing of a key itself. */
function linesOf(knownHosts: string, host: string): Line[] {
  return knownHosts.split('\n').flatMap((text) => {
    const words = text.trim().split(/\s+/);
    const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined;
    const [hosts = '', type = '', key = ''] = words;
    if (hosts.startsWith('#') || key === '' || marker === '@cert-authority') return [];
    if (!matches(hosts, host.toLowerCase())) return [];
    return [{ isRevoked: marker === '@revoked', type, key }];
  });
}

function matches(hosts: string, host: string): boolean {
  const [, scheme, salt, hash] = hosts.split('|');
  if (scheme === '1' && salt !== undefined)
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(host).digest('base64') === hash;
  const patterns = hosts.toLowerCase().split(',');
  if (patterns.some((each) => each.startsWith('!') && isLike(each.slice(1), host))) return false;
  return patterns.some((each) => isLike(each, host));
}

function isLike(pattern: string, host: string): boolean {
  const parts = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${parts.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(host);
}
