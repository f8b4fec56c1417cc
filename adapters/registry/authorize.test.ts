import { describe, expect, it } from 'vitest';
import { parseChallenge } from './authorize.ts';

describe('parseChallenge', () => {
  it.each([
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,delete"',
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,delete',
        },
      },
    ],
    ['Basic realm="Registry"', { scheme: 'basic', parameters: { realm: 'Registry' } }],
    ['Negotiate', undefined],
    ['', undefined],
  ])('%s', (header, challenge) => {
    expect(parseChallenge(header)).toEqual(challenge);
  });
});
