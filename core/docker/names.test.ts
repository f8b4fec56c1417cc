import { expect, it } from 'vitest';
import { recordsConfig, recordsOf } from '#core/docker/dns-records.ts';
import { Service } from '#core/docker/kinds-service.ts';
import { dnsConfig } from '#core/docker/names.ts';
import { readyPod } from '#core/docker/testing/ready-pod.ts';

function service(name: string, spec: object): Service {
  const metadata = { name, namespace: 'shop' };
  return Service.parse({ apiVersion: 'v1', kind: 'Service', metadata, spec });
}

const selector = { app: 'web' };
const pods = [1, 2].map((number) => ({
  ...readyPod('web', number),
  namespace: 'shop',
  ports: { http: 8080 },
}));

it('leaves aliases to the other name server, which follows them', () => {
  const alias = service('db', { type: 'ExternalName', externalName: 'db.example.com.' });
  const records = recordsOf([alias], pods, 1);
  const config = dnsConfig({ services: [], unaddressed: [alias], pods, records, now: 1 });
  expect(config).toMatchObject({ hosts: {}, domains: ['db.shop.svc.cluster.local'] });
  const { unbound } = recordsConfig(records, '10.88.128.1');
  expect(unbound).toContain('  local-zone: "db.shop.svc.cluster.local." redirect\n');
  expect(unbound).toContain('"db.shop.svc.cluster.local. 5 IN CNAME db.example.com."\n');
  expect(unbound).toContain('  forward-addr: 10.88.128.1\n');
});

it('needs no other name server where there are only addresses', () => {
  const plain = service('web', { selector, ports: [{ port: 80 }] });
  expect(recordsConfig(recordsOf([plain], pods, 1), '10.88.128.1').unbound).toBe('');
});

it('has a record for each named port of a Service, and of each pod of a headless one', () => {
  const ports = [
    { name: 'http', port: 80, targetPort: 'http' },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ];
  const domain = 'web.shop.svc.cluster.local';
  expect(recordsOf([service('web', { selector, ports })], pods, 1)).toEqual([
    {
      domain: `_tcp.${domain}`,
      isAlias: false,
      records: [`_http._tcp.${domain}. 5 IN SRV 0 100 80 ${domain}.`],
    },
    {
      domain: `_udp.${domain}`,
      isAlias: false,
      records: [`_dns._udp.${domain}. 5 IN SRV 0 100 53 ${domain}.`],
    },
  ]);
  const [tcp] = recordsOf([service('web', { selector, ports, clusterIP: 'None' })], pods, 1);
  expect(tcp?.records).toEqual([
    `_http._tcp.${domain}. 5 IN SRV 0 50 8080 10-88-0-1.${domain}.`,
    `_http._tcp.${domain}. 5 IN SRV 0 50 8080 10-88-0-2.${domain}.`,
  ]);
});

it('knows the pods of a headless Service by their addresses', () => {
  const headless = service('web', { selector, clusterIP: 'None' });
  const { hosts } = dnsConfig({ services: [], unaddressed: [headless], pods, records: [], now: 1 });
  expect(hosts).toEqual({
    'web.shop.svc.cluster.local': ['10.88.0.1', '10.88.0.2'],
    '10-88-0-1.web.shop.svc.cluster.local': ['10.88.0.1'],
    '10-88-0-2.web.shop.svc.cluster.local': ['10.88.0.2'],
  });
});

it('knows pods by their hostnames in the headless Service that is their subdomain', () => {
  const ports = [{ name: 'http', port: 80, targetPort: 'http' }];
  const named = pods.map((each, index) => ({ ...each, published: `web-${index}.web` }));
  const [web, other] = ['web', 'other'].map((name) =>
    service(name, { selector, clusterIP: 'None', ports }),
  );
  if (web === undefined || other === undefined) throw new Error('there are two');
  const { hosts } = dnsConfig({
    services: [],
    unaddressed: [web, other],
    pods: named,
    records: [],
    now: 1,
  });
  expect(Object.keys(hosts)).toEqual([
    '10-88-0-1.other.shop.svc.cluster.local',
    '10-88-0-2.other.shop.svc.cluster.local',
    'other.shop.svc.cluster.local',
    'web-0.web.shop.svc.cluster.local',
    'web-1.web.shop.svc.cluster.local',
    'web.shop.svc.cluster.local',
  ]);
  const [tcp] = recordsOf([web], named, 1);
  expect(tcp?.records[0]).toContain(' SRV 0 50 8080 web-0.web.shop.svc.cluster.local.');
});

it('answers with every pod of a hostname', () => {
  const named = pods.map((each) => ({ ...each, published: 'same.web' }));
  const web = service('web', { selector, clusterIP: 'None' });
  const { hosts } = dnsConfig({
    services: [],
    unaddressed: [web],
    pods: named,
    records: [],
    now: 1,
  });
  expect(hosts['same.web.shop.svc.cluster.local']).toEqual(['10.88.0.1', '10.88.0.2']);
});
