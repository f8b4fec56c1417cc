import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '#core/base64.ts';
import type { Secret } from '#core/docker/kinds.ts';
import { checkPullSecret, loginsFor } from '#core/docker/pull-secrets.ts';

/** A Secret with a login for each place, whose user has the place's name. */
function config(...places: string[]): Secret {
  const auths = places.map((place) => [place, { auth: encodeBase64(`${place.length}:a:b`) }]);
  return secret({ '.dockerconfigjson': JSON.stringify({ auths: Object.fromEntries(auths) }) });
}

function secret(content: Record<string, string>, type = 'kubernetes.io/dockerconfigjson'): Secret {
  const data = Object.entries(content).map(([key, text]) => [key, encodeBase64(text)]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'pull' },
    type,
    data: Object.fromEntries(data),
  };
}

describe('logins', () => {
  it.each([
    ['registry.io/team/web:1', 'registry.io', true],
    ['registry.io/team/web@sha256:00', 'https://registry.io', true],
    ['registry.io/team/web', 'https://registry.io/v2/', true],
    ['registry.io/team/web', 'registry.io/team', true],
    ['registry.io/team/web', 'registry.io/te', true],
    ['registry.io/team/web', 'registry.io/other', false],
    ['registry.io/team/web', 'registry.io:5000', false],
    ['registry.io:5000/web', 'registry.io:5000', true],
    ['localhost/web', 'localhost', true],
    ['a.registry.io/web', '*.registry.io', true],
    ['registry.io/web', '*.io', true],
    ['a.b.io/web', '*.io', false],
    ['ab.io/web', 'a*.io', true],
    ['cb.io/web', 'a*.io', false],
    ['web', 'https://index.docker.io/v1/', true],
    ['team/web:2', 'index.docker.io', true],
    ['docker.io/team/web', 'https://index.docker.io/v1/', true],
    ['web', 'docker.io', true],
    ['web', 'registry.io', false],
    ['registry.io/web', 'https://index.docker.io/v1/', false],
  ])('of %s are found under %s: %s', (image, place, found) => {
    expect(loginsFor(image, [config(place)]).length).toBe(found ? 1 : 0);
  });

  it('of the most specific place come first, of one place those of the first Secret', () => {
    const secrets = [config('r.io'), config('r.io/team/web'), config('r.io/team', 'r.io')];
    expect(loginsFor('r.io/team/web', secrets).map(({ username }) => username)).toEqual([
      '13',
      '9',
      '4',
      '4',
    ]);
  });

  it('may have a colon in the password', () => {
    expect(loginsFor('r.io/web', [config('r.io')])).toEqual([{ username: '4', password: 'a:b' }]);
  });

  it('are read of the older type and of plain names too', () => {
    const login = { username: 'ann', password: 'pass' };
    const old = secret(
      { '.dockercfg': JSON.stringify({ 'r.io': login }) },
      'kubernetes.io/dockercfg',
    );
    expect(loginsFor('r.io/web', [old])).toEqual([login]);
  });

  it('are none in a Secret of another type', () => {
    expect(loginsFor('r.io/web', [{ ...config('r.io'), type: 'Opaque' }])).toEqual([]);
  });
});

describe('a Secret with logins', () => {
  function problems(checked: Secret): string[] {
    const told: string[] = [];
    checkPullSecret(checked, (path, message) => told.push(`${path.join('/')}: ${message}`));
    return told;
  }

  it('is well as docker login writes it', () => {
    expect(problems(config('r.io'))).toEqual([]);
    expect(problems(secret({ '.dockerconfigjson': '{"credsStore":"x"}' }))).toEqual([]);
    expect(problems(secret({ other: 'x' }, 'Opaque'))).toEqual([]);
  });

  it.each([
    [{ other: 'x' }, 'must have it'],
    [{ '.dockerconfigjson': 'no json' }, 'is not what'],
    [{ '.dockerconfigjson': '{"auths":{"r.io":{"auth":"!"}}}' }, 'r.io: auth must be base64'],
    [{ '.dockerconfigjson': '{"auths":{"r.io":{"auth":"YW5u"}}}' }, 'r.io: auth must be base64'],
  ])('%j is refused: %s', (content, message) => {
    const [problem = ''] = problems(secret(content));
    expect(problem).toContain('data/.dockerconfigjson: ');
    expect(problem).toContain(message);
  });
});
