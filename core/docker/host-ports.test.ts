import { describe, expect, it } from 'vitest';
import { checkHostPorts, createClaims, hostPortsOf } from '#core/docker/host-ports.ts';
import type { HostPort } from '#core/docker/host-ports.ts';
import { Pod } from '#core/docker/kinds.ts';

type Port = Record<string, unknown>;

function spec(ports: Port[], more: object = {}): Pod['spec'] {
  const containers = [{ name: 'web', image: 'web', ports }];
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } };
  return Pod.parse({ ...pod, spec: { containers, ...more } }).spec;
}

function port(number: number, change: Partial<HostPort> = {}): HostPort {
  return { protocol: 'TCP', ip: '', port: number, containerPort: 80, ...change };
}

describe('the ports of the host', () => {
  it('are those that containers ask for', () => {
    const ports = [{ containerPort: 80 }, { containerPort: 53, hostPort: 5353, protocol: 'UDP' }];
    expect(hostPortsOf(spec(ports))).toEqual([port(5353, { protocol: 'UDP', containerPort: 53 })]);
  });

  it('are all that are named on the network of the host', () => {
    expect(hostPortsOf(spec([{ containerPort: 80 }], { hostNetwork: true }))).toEqual([port(80)]);
  });

  it('are those of sidecars too, and of no other init container', () => {
    const init = { name: 'a', image: 'a', ports: [{ containerPort: 80, hostPort: 81 }] };
    const sidecar = { ...init, name: 'b', restartPolicy: 'Always' };
    const sidecarPort = { ...sidecar, ports: [{ containerPort: 80, hostPort: 82 }] };
    expect(hostPortsOf(spec([], { initContainers: [init, sidecarPort] }))).toEqual([port(82)]);
  });
});

describe('a claim', () => {
  const there = { namespace: 'shop', name: 'web', hostPorts: [port(80, { ip: '10.0.0.1' })] };

  it.each([
    [port(80), true],
    [port(80, { ip: '0.0.0.0' }), true],
    [port(80, { ip: '10.0.0.1' }), true],
    [port(80, { ip: '10.0.0.2' }), false],
    [port(80, { protocol: 'UDP' }), false],
    [port(81), false],
  ])('of %j collides: %s', (asked, collides) => {
    const refused = createClaims([there]).claim({ namespace: 'a', name: 'b' }, [asked]);
    expect(refused?.includes('(80/TCP is that of pod shop/web)') ?? false).toBe(collides);
  });

  it('is kept from the next pod, and one that is refused is not', () => {
    const claims = createClaims([]);
    const pod = { namespace: 'a', name: 'b' };
    expect(claims.claim(pod, [port(1)])).toBeUndefined();
    expect(claims.claim(pod, [port(2), port(1)])).toContain('1/TCP is that of pod a/b');
    expect(claims.claim(pod, [port(2)])).toBeUndefined();
  });
});

describe('checking', () => {
  function told(ports: Port[], more: object = {}): string[] {
    const paths: string[] = [];
    checkHostPorts(spec(ports, more), ['spec'], (path, message) =>
      paths.push(`${path.join('.')}: ${message}`),
    );
    return paths;
  }

  it('wants the one port to be the other on the network of the host', () => {
    const ports = [{ containerPort: 80, hostPort: 81 }];
    expect(told(ports)).toEqual([]);
    expect(told(ports, { hostNetwork: true })).toEqual([
      'spec.containers.0.ports.0.hostPort: must be 80, the containerPort, where hostNetwork is true',
    ]);
  });

  it('finds a port that is there twice', () => {
    const [one, other] = [
      { containerPort: 80, hostPort: 81 },
      { containerPort: 90, hostPort: 81 },
    ];
    expect(told([one, other])).toEqual([
      'spec.containers.0.ports: port 81/TCP of the host is there twice',
    ]);
    expect(told([one, { ...other, hostIP: '127.0.0.1' }])).toEqual([]);
    expect(told([one, { ...other, protocol: 'UDP' }])).toEqual([]);
  });
});
