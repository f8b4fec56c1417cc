import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { judgeHostKey, knownHostName, knownKeyTypes } from './known-hosts.ts';

function blob(type: string, body: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(type.length);
  return Buffer.concat([head, Buffer.from(type), Buffer.from(body)]);
}

const key = blob('ssh-ed25519', 'ours');
const line = `ssh-ed25519 ${key.toString('base64')}`;
const other = `ssh-ed25519 ${blob('ssh-ed25519', 'theirs').toString('base64')}`;
const rsa = `ssh-rsa ${blob('ssh-rsa', 'ours').toString('base64')}`;

function hashed(host: string): string {
  const salt = Buffer.from('salt');
  const hash = createHmac('sha1', salt).update(host).digest('base64');
  return `|1|${salt.toString('base64')}|${hash}`;
}

describe('the key that a host shows', () => {
  it.each([
    ['is known by its name', `shop.example.com ${line}`, 'known'],
    ['is known by one of several names', `10.0.0.7,shop.example.com ${line} a comment`, 'known'],
    ['is known in whatever case', `Shop.Example.COM ${line}`, 'known'],
    ['is known by a pattern', `*.example.com ${line}`, 'known'],
    ['is known by a name that is hashed', `${hashed('shop.example.com')} ${line}`, 'known'],
    ['is known by a second line', `shop.example.com ${other}\nshop.example.com ${line}`, 'known'],
    ['is unknown where there is no line', '# none yet\n', 'unknown'],
    ['is unknown where the line is another host’s', `shop.example.org ${line}`, 'unknown'],
    ['is unknown where only a part is alike', `shopXexample.com ${line}`, 'unknown'],
    ['is unknown where the pattern is denied', `!shop.*,*.example.com ${line}`, 'unknown'],
    ['is unknown where the line is for another port', `[shop.example.com]:2222 ${line}`, 'unknown'],
    ['is unknown where only a key of another type is', `shop.example.com ${rsa}`, 'unknown'],
    ['is unknown where only its authority is', `@cert-authority *.example.com ${line}`, 'unknown'],
    ['was changed where the line has another', `shop.example.com ${other}`, 'changed'],
    [
      'is revoked, whatever else is said',
      `shop.example.com ${line}\n@revoked * ${line}`,
      'revoked',
    ],
  ])('%s', (_, knownHosts, verdict) => {
    expect(judgeHostKey(knownHosts, 'shop.example.com', key)).toBe(verdict);
  });

  it('is looked for with its port where that is not the usual one', () => {
    const name = knownHostName('shop.example.com', 2222);
    expect(judgeHostKey(`[shop.example.com]:2222 ${line}`, name, key)).toBe('known');
    expect(judgeHostKey(`shop.example.com ${line}`, name, key)).toBe('unknown');
  });

  it('is asked for by the types that are known', () => {
    const knownHosts = `shop.example.com ${rsa}\nshop.example.com ${line}\nother ${line}`;
    const types = ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519'];
    expect(knownKeyTypes(knownHosts, 'shop.example.com')).toEqual(types);
    expect(knownKeyTypes(knownHosts, 'elsewhere')).toEqual([]);
  });

  it('is not asked for by a type that cannot be checked', () => {
    const knownHosts = `shop.example.com sk-ssh-ed25519@openssh.com AAAA\nshop.example.com ${line}`;
    expect(knownKeyTypes(knownHosts, 'shop.example.com')).toEqual(['ssh-ed25519']);
  });
});
