import { expect, it } from 'vitest';
import { Service } from '#core/docker/kinds-service.ts';
import { dnsConfig } from '#core/docker/names.ts';

function service(name: string, spec: object): Service {
  const metadata = { name, namespace: 'shop' };
  return Service.parse({ apiVersion: 'v1', kind: 'Service', metadata, spec });
}

function configOf(...unaddressed: Service[]) {
  return dnsConfig({ services: [], unaddressed, pods: [], nameServer: '10.88.128.1', now: 1 });
}

it('leaves aliases to the other name server, which follows them', () => {
  const alias = service('db', { type: 'ExternalName', externalName: 'db.example.com.' });
  const { hosts, domains, unbound } = configOf(alias);
  expect(hosts).toEqual({});
  expect(domains).toEqual(['db.shop.svc.cluster.local']);
  expect(unbound).toContain('  local-zone: "db.shop.svc.cluster.local." redirect\n');
  expect(unbound).toContain('"db.shop.svc.cluster.local. 5 IN CNAME db.example.com."\n');
  expect(unbound).toContain('  forward-addr: 10.88.128.1\n');
});

it('needs no other name server where there are only addresses', () => {
  const headless = service('web', { clusterIP: 'None', selector: { app: 'web' } });
  expect(configOf(headless)).toMatchObject({ domains: [], unbound: '' });
});
