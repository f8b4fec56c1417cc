import { describe, expect, it } from 'vitest';
import { defaultFor, defaultRoutes, routesOf } from '#core/docker/ingress-routes.ts';
import { Ingress } from '#core/docker/kinds-ingress.ts';

interface Rule {
  host?: string;
  path?: string;
  pathType?: 'Exact' | 'Prefix' | 'ImplementationSpecific';
  to?: string;
}

function ingress(name: string, rules: Rule[], extra: object = {}): Ingress {
  return Ingress.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, ...extra },
    spec: {
      rules: rules.map(({ host, path = '/', pathType = 'Prefix', to = 'web' }) => ({
        host,
        http: { paths: [{ path, pathType, backend: backendTo(to) }] },
      })),
    },
  });
}

function backendTo(name: string): object {
  return { service: { name, port: { number: 80 } } };
}

function ranked(...rules: Rule[]): string[] {
  const routes = routesOf([{ ingress: ingress('web', rules), recordedAt: 0 }]);
  return routes.map(({ host, path, how }) => `${host}${path} ${how}`);
}

describe('routesOf', () => {
  it('tries a full name before a wildcard, a longer wildcard before a shorter, and any host last', () => {
    expect(
      ranked({}, { host: '*.test' }, { host: '*.shop.test' }, { host: 'a.shop.test' }),
    ).toEqual(['a.shop.test/ prefix', '*.shop.test/ prefix', '*.test/ prefix', '/ prefix']);
  });

  it('tries the exact path first, then the longest', () => {
    expect(
      ranked({ path: '/a' }, { path: '/a/b/c' }, { path: '/a/b', pathType: 'Exact' }, {}),
    ).toEqual(['/a/b exact', '/a/b/c prefix', '/a prefix', '/ prefix']);
  });

  it('hears the elder of two Ingresses that say the same', () => {
    const routes = routesOf([
      { ingress: ingress('a', [{ to: 'younger' }]), recordedAt: 2 },
      { ingress: ingress('b', [{ to: 'elder' }]), recordedAt: 1 },
    ]);
    expect(routes.map(({ backend }) => backend.service.name)).toEqual(['elder', 'younger']);
  });

  it('asks a canary first, whichever is the elder', () => {
    const annotations = {
      'nginx.ingress.kubernetes.io/canary': 'true',
      'nginx.ingress.kubernetes.io/canary-weight': '10',
    };
    const routes = routesOf([
      { ingress: ingress('a', [{ to: 'stable' }]), recordedAt: 1 },
      { ingress: ingress('b', [{ to: 'canary' }], { annotations }), recordedAt: 2 },
    ]);
    expect(routes.map(({ backend }) => backend.service.name)).toEqual(['canary', 'stable']);
  });

  it('asks of a canary what is asked of what it is a canary of, and nothing of it alone', () => {
    const nginx = 'nginx.ingress.kubernetes.io';
    const locked = { [`${nginx}/auth-type`]: 'basic', [`${nginx}/auth-secret`]: 'users' };
    const stable = ingress('a', [{ host: 'a.test' }], { annotations: locked });
    const canary = ingress('b', [{ host: 'a.test' }, { host: 'b.test' }], {
      annotations: { [`${nginx}/canary`]: 'true' },
    });
    const routes = routesOf([
      { ingress: stable, recordedAt: 1 },
      { ingress: canary, recordedAt: 2 },
    ]);
    expect(routes.map(({ host, users }) => [host, users])).toEqual([
      ['a.test', 'default/users'],
      ['a.test', 'default/users'],
    ]);
  });
});

it('leads all of a host without paths to the default backend, and nothing without one', () => {
  const named = Ingress.parse({
    ...ingress('named', [{}]),
    spec: { defaultBackend: backendTo('rest'), rules: [{ host: 'a.test' }] },
  });
  const routes = routesOf([{ ingress: named, recordedAt: 1 }]);
  expect(routes.map(({ host, path, backend }) => [host, path, backend.service.name])).toEqual([
    ['a.test', '/', 'rest'],
  ]);
  const { defaultBackend: _none, ...spec } = named.spec;
  expect(routesOf([{ ingress: { ...named, spec }, recordedAt: 1 }])).toEqual([]);
});

describe('defaultFor', () => {
  const any = { ...ingress('any', [{}]), spec: { defaultBackend: backendTo('any') } };
  const own = ingress('own', [{ host: 'a.test' }]);
  const defaults = defaultRoutes([
    { ingress: Ingress.parse(any), recordedAt: 2 },
    {
      ingress: Ingress.parse({
        ...own,
        spec: { ...own.spec, defaultBackend: backendTo('own') },
      }),
      recordedAt: 1,
    },
  ]);

  it.each([
    ['a.test', 'own'],
    ['b.test', 'any'],
    ['', 'any'],
  ])("takes for %j that of the host's own Ingress, else of one without rules", (host, name) => {
    expect(defaultFor(host, defaults)?.backend.service.name).toBe(name);
  });
});
