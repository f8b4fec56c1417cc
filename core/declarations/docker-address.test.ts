import { describe, expect, it } from 'vitest';
import { parseDockerAddress } from './docker-address.ts';

describe('the address of a Docker Engine', () => {
  it.each([
    ['unix:///run/docker.sock', { kind: 'unix', path: '/run/docker.sock' }],
    [
      'ssh://ann@shop.example.com',
      {
        kind: 'ssh',
        user: 'ann',
        host: 'shop.example.com',
        port: 22,
        path: '/var/run/docker.sock',
      },
    ],
    [
      'ssh://ann@10.0.0.7:2222/run/user/1000/docker.sock',
      {
        kind: 'ssh',
        user: 'ann',
        host: '10.0.0.7',
        port: 2222,
        path: '/run/user/1000/docker.sock',
      },
    ],
    [
      'ssh://ann@[fd00::7]:2222',
      { kind: 'ssh', user: 'ann', host: 'fd00::7', port: 2222, path: '/var/run/docker.sock' },
    ],
    ['tcp://shop.example.com:2376', { kind: 'tcp', host: 'shop.example.com', port: 2376 }],
    ['tcp://[fd00::7]:2376', { kind: 'tcp', host: 'fd00::7', port: 2376 }],
  ])('%s is read', (text, address) => {
    expect(parseDockerAddress(text)).toEqual(address);
  });

  it.each([
    ['no path', 'unix://'],
    ['no absolute path', 'unix://docker.sock'],
    ['no user', 'ssh://shop.example.com'],
    ['a password', 'ssh://ann:secret@shop.example.com'],
    ['a port that is none', 'ssh://ann@shop.example.com:99999'],
    ['no port for tcp', 'tcp://shop.example.com'],
    ['a path for tcp', 'tcp://shop.example.com:2376/v1'],
    ['a user for tcp', 'tcp://ann@shop.example.com:2376'],
    ['http', 'http://shop.example.com:2375'],
    ['nothing', ''],
  ])('with %s it is none', (_, text) => {
    expect(parseDockerAddress(text)).toBeUndefined();
  });
});
