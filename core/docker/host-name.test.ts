import { describe, expect, it } from 'vitest';
import { checkHostName, hostNameOf } from '#core/docker/host-name.ts';

const DOMAIN = 'db.shop.svc.cluster.local';

function problemsOf(spec: Parameters<typeof checkHostName>[0]): string[] {
  const problems: string[] = [];
  checkHostName(spec, { pod: 'db-0', namespace: 'shop' }, ['spec'], (path, message) => {
    problems.push(`${path.join('.')}: ${message}`);
  });
  return problems;
}

describe('a pod is called', () => {
  it.each([
    ['by its own name', {}, { own: 'db-0' }],
    ['by its hostname', { hostname: 'one' }, { own: 'one' }],
    ['in its subdomain', { subdomain: 'db' }, { own: 'db-0', full: `db-0.${DOMAIN}` }],
    [
      'by both, for others too',
      { hostname: 'one', subdomain: 'db' },
      { own: 'one', full: `one.${DOMAIN}`, published: 'one.db' },
    ],
    [
      'in full, if it says so',
      { hostname: 'one', subdomain: 'db', setHostnameAsFQDN: true },
      { own: `one.${DOMAIN}`, full: `one.${DOMAIN}`, published: 'one.db' },
    ],
    [
      'by what replaces all that, but by others as before',
      { hostname: 'one', subdomain: 'db', hostnameOverride: 'two.example' },
      { own: 'two.example', published: 'one.db' },
    ],
  ])('%s', (_, spec, expected) => {
    expect(hostNameOf(spec, 'db-0', 'shop')).toEqual(expected);
    expect(problemsOf(spec)).toEqual([]);
  });

  it('by no name that is too long for a host', () => {
    const long = { hostname: 'n'.repeat(60), subdomain: 'db', setHostnameAsFQDN: true };
    expect(problemsOf(long)).toEqual([
      expect.stringContaining('spec.setHostnameAsFQDN: ' + long.hostname),
    ]);
    expect(hostNameOf({}, 'p'.repeat(80), 'shop').own).toHaveLength(63);
  });

  it('by an override only where nothing else decides', () => {
    const override = { hostnameOverride: 'two' };
    expect(problemsOf({ ...override, setHostnameAsFQDN: true })).toHaveLength(1);
    expect(problemsOf({ ...override, hostNetwork: true })).toHaveLength(1);
  });
});
