import { describe, expect, it } from 'vitest';
import { Service } from '#core/docker/kinds-service.ts';
import { udpEdgeConfig, udpNames, udpProxyConfig } from '#core/docker/udp.ts';
import type { AddressedService } from '#core/docker/proxy.ts';
import { readyPod } from '#core/docker/testing/ready-pod.ts';
import type { LivePod } from '#core/docker/world.ts';

function pod(number: number, port = 5353): LivePod {
  return { ...readyPod('names', number), ports: { 'dns/UDP': port, tcp: 53 } };
}

function service(spec: object): AddressedService {
  const whole = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'names' } };
  const parsed = Service.parse({ ...whole, spec: { selector: { app: 'names' }, ...spec } });
  return { service: parsed, address: '10.88.128.9', recordedAt: 1, held: false };
}

function world(spec: object, pods: LivePod[]) {
  return { services: [service(spec)], pods, nameServer: '10.88.128.1', now: 1 };
}

function slots(pods: LivePod[]): Map<string, string[]> {
  return new Map(udpNames([service({ ports })], pods, 1));
}

const ports = [
  { name: 'udp', port: 53, targetPort: 'dns', protocol: 'UDP' },
  { name: 'tcp', port: 53, targetPort: 'tcp' },
];
const three = [pod(1), pod(2), pod(3)];

describe('UDP', () => {
  it('is carried by a slot of the flow, or of the client, to names that answer with pods', () => {
    const { nginx, endpoints } = udpProxyConfig(world({ ports }, three));
    expect(nginx).toContain('listen 10.88.128.9:53 udp;');
    expect(nginx).toContain('proxy_pass $flow.53.names.default.udp.cluster.local:5353;');
    expect(nginx.match(/ listen /g)).toHaveLength(1);
    expect(endpoints).toEqual(['10.88.0.1:5353', '10.88.0.2:5353', '10.88.0.3:5353']);
    const sticky = udpProxyConfig(world({ ports, sessionAffinity: 'ClientIP' }, three));
    expect(sticky.nginx).toContain('proxy_pass $client.53.names');
  });

  it('needs no proxy where no port is of it', () => {
    const tcp = world({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] }, three);
    expect(udpProxyConfig(tcp).nginx).toBe('');
    expect(udpEdgeConfig(tcp)).toMatchObject({ nginx: '', ports: [] });
    expect(udpNames(tcp.services, three, 1)).toEqual([]);
  });

  it('keeps its configuration when pods come, and tells who goes by the endpoints', () => {
    const before = udpProxyConfig(world({ ports }, three));
    const after = udpProxyConfig(world({ ports }, [...three, pod(4)]));
    expect(after.nginx).toBe(before.nginx);
    expect(after.hash).not.toBe(before.hash);
    expect(after.endpoints).toEqual([...before.endpoints, '10.88.0.4:5353']);
  });

  it('has nobody listen where no pod is ready', () => {
    const { nginx } = udpProxyConfig(world({ ports }, []));
    expect(nginx).toContain('stream {');
    expect(nginx).not.toContain('listen');
  });

  it('opens ports of the host to those who may ask', () => {
    const spec = {
      type: 'LoadBalancer',
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      ports: [{ port: 53, nodePort: 30_053, targetPort: 'dns', protocol: 'UDP' }],
    };
    const { nginx, ports: open } = udpEdgeConfig(world(spec, three));
    expect(open).toEqual([30_053, 53]);
    expect(nginx).toContain('    listen 30053 udp;\n    allow 192.0.2.0/24;\n    deny all;\n');
  });

  it('reaches each pod at its own number of a named port', () => {
    const { nginx } = udpProxyConfig(world({ ports }, [pod(1, 53), pod(2, 54)]));
    expect(nginx).toMatch(/map \$flow \$port0 \{\n(?: {4}\d+ 5[34];\n){100} {2}\}/);
    expect(nginx).toContain('udp.cluster.local:$port0;');
    // A port of that name is of the other protocol.
    const mistaken = [{ port: 53, targetPort: 'tcp', protocol: 'UDP' }];
    expect(udpProxyConfig(world({ ports: mistaken }, three)).endpoints).toEqual([]);
  });

  it('gives each pod about as many slots, and few another pod than before', () => {
    const before = slots(three);
    const after = slots([pod(1), pod(3)]);
    expect(before.size).toBe(100);
    const of = Map.groupBy(before.values(), ([ip]) => ip ?? '');
    for (const ip of ['10.88.0.1', '10.88.0.2', '10.88.0.3'])
      expect(of.get(ip)?.length).toBeGreaterThan(30);
    const moved = [...before].filter(([name, [ip]]) => after.get(name)?.[0] !== ip);
    const left = [...before].filter(([, [ip]]) => ip === '10.88.0.2');
    expect(moved.length - left.length).toBeLessThan(10);
  });

  it('has more pods than slots share them', () => {
    const many = Array.from({ length: 250 }, (_, index) => pod(index + 1));
    const all = [...slots(many).values()].flat();
    expect(new Set(all).size).toBe(250);
  });
});
