import { describe, expect, it } from 'vitest';
import { DnsConfig } from '#core/docker/kinds-dns.ts';
import { checkNames, namesOf } from '#core/docker/pod-names.ts';

const CLUSTER = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];

describe('namesOf', () => {
  it('asks the cluster where nothing is said', () => {
    expect(namesOf({}, 'shop')).toEqual({
      hosts: [],
      asks: 'cluster',
      nameservers: [],
      searches: CLUSTER,
      options: ['ndots:5'],
    });
  });

  it('adds what dnsConfig says after what the cluster has', () => {
    const dnsConfig = DnsConfig.parse({
      searches: ['corp.example', 'cluster.local'],
      options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
    });
    expect(namesOf({ dnsConfig }, 'shop')).toMatchObject({
      searches: [...CLUSTER, 'corp.example'],
      options: ['ndots:2', 'rotate'],
    });
  });

  it('has nothing of the cluster with None', () => {
    const dnsConfig = DnsConfig.parse({ nameservers: ['192.0.2.1'] });
    expect(namesOf({ dnsPolicy: 'None', dnsConfig }, 'shop')).toEqual({
      hosts: [],
      asks: 'none',
      nameservers: ['192.0.2.1'],
      searches: [],
      options: [],
    });
  });

  it.each([
    [{ dnsPolicy: 'Default' }, 'host'],
    [{ hostNetwork: true }, 'host'],
    [{ hostNetwork: true, dnsPolicy: 'ClusterFirst' }, 'host'],
    [{ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, 'cluster'],
    [{ dnsPolicy: 'ClusterFirstWithHostNet' }, 'cluster'],
  ] as const)('with %j asks the name servers of the %s', (spec, asks) => {
    const names = namesOf(spec, 'shop');
    expect(names.asks).toBe(asks);
    expect(names.searches).toEqual(asks === 'cluster' ? CLUSTER : []);
  });

  it('gives every name of an alias its address', () => {
    expect(
      namesOf({ hostAliases: [{ ip: '10.1.2.3', hostnames: ['a', 'b.c'] }] }, 'x').hosts,
    ).toEqual([
      { name: 'a', ip: '10.1.2.3' },
      { name: 'b.c', ip: '10.1.2.3' },
    ]);
  });
});

describe('checkNames', () => {
  it.each([
    [{ dnsPolicy: 'None' as const }, 'spec.dnsPolicy'],
    [
      { dnsConfig: DnsConfig.parse({ nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'] }) },
      'spec.dnsConfig.nameservers',
    ],
    [{}, undefined],
  ])('tells of %j at %s', (spec, path) => {
    const found: string[] = [];
    checkNames(spec, ['spec'], (at) => found.push(at.join('.')));
    expect(found).toEqual(path === undefined ? [] : [path]);
  });
});
