import { describe, expect, it } from 'vitest';
import { Service } from '#core/docker/kinds-service.ts';
import { edgeConfig, proxyConfig } from '#core/docker/proxy.ts';
import type { AddressedService } from '#core/docker/proxy.ts';
import { readyPod } from '#core/docker/testing/ready-pod.ts';

const pods = [readyPod('web', 1), readyPod('web', 2)];
const noIngress = {
  ingresses: [],
  certificates: [],
  orders: [],
  thumbprint: '',
  users: [],
  ports: { http: 80, https: 443 },
  headerKb: 15,
  services: new Map(),
};

function service(appProtocol: string | undefined): AddressedService {
  const parsed = Service.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: {
      type: 'NodePort',
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080, nodePort: 30_080, appProtocol }],
    },
  });
  return { service: parsed, address: '10.88.128.9', recordedAt: 1, held: false };
}

/** The section of the Service in the cluster's proxy and in the edge. */
function sections(appProtocol: string | undefined): string[] {
  const services = [service(appProtocol)];
  const configs = [proxyConfig(services, pods, 1, 15), edgeConfig(services, pods, 1, noIngress)];
  return configs.map(({ haproxy }) => haproxy.slice(haproxy.indexOf('listen ')));
}

describe('the proxies', () => {
  it.each([undefined, 'https', 'kubernetes.io/h2c', 'kubernetes.io/ws'])(
    'carry connections as they are where appProtocol is %s',
    (appProtocol) => {
      for (const section of sections(appProtocol)) {
        expect(section).toContain(
          [
            '  server web-1 10.88.0.1:8080',
            '  server web-2 10.88.0.2:8080',
            '  server web-1:again 10.88.0.1:8080 id 100000 backup no-check non-stick',
            '  server web-2:again 10.88.0.2:8080 id 100001 backup no-check non-stick\n',
          ].join('\n'),
        );
        expect(section).not.toContain('mode http');
      }
    },
  );

  it.each([
    [15, 16_384],
    [32, 33_792],
  ])('have room for headers of %i KB', (headerKb, size) => {
    const services = [service('http')];
    for (const { haproxy } of [
      proxyConfig(services, pods, 1, headerKb),
      edgeConfig(services, pods, 1, { ...noIngress, headerKb }),
    ])
      expect(haproxy).toContain(`  tune.bufsize ${size}\n`);
  });

  it('send again what a pod took with it where appProtocol is http, unless it may not be sent twice', () => {
    for (const section of sections('http')) {
      expect(section).toContain('  mode http\n  option idle-close-on-response\n');
      expect(section).toContain('  retry-on conn-failure empty-response\n');
      expect(section).toContain('disable-l7-retry if { method POST PATCH LOCK }');
    }
  });
});
