import { describe, expect, it } from 'vitest';
import { ordersOf } from '#core/docker/acme.ts';
import { ingressesIn } from '#core/docker/ingress-routes.ts';
import type { DesiredState } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import { trafficOf } from '#core/swarm/traffic.ts';
import type { SwarmStep } from '#core/swarm/world.ts';

const DEPLOYMENT: Resource = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'web:1' }] },
    },
  },
};

function service(spec: object): Resource {
  const base = { selector: { app: 'web' }, ports: [{ port: 80 }] };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { ...base, ...spec },
  };
}

function ingress(tls: object[] = [], annotations = {}): Resource {
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const paths = [{ path: '/', pathType: 'Prefix', backend }];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', annotations },
    spec: { rules: [{ host: 'web.test', http: { paths } }], tls },
  };
}

function desire(...resources: Resource[]): DesiredState {
  return { owner: 'shop/test', release: 'r1', resources: [DEPLOYMENT, ...resources] };
}

function told(steps: readonly SwarmStep[], node: string): string[] {
  return steps.flatMap((step) => ('node' in step && step.node === node ? [step.kind] : []));
}

describe('traffic of a swarm', () => {
  it('has edges on those servers alone that are some', () => {
    const swarm = simulateSwarm();
    swarm.world.proxies = [
      { node: 'one', isEdge: true },
      { node: 'two', isEdge: false },
    ];
    const { done } = swarm.settle([desire(service({}), ingress())]);
    expect(told(done, 'one')).toContain('configureEdge');
    expect(told(done, 'two')).toEqual(['configureProxy', 'configureDns', 'configureProxy']);
  });

  it('leaves alone what was tried in vain on one server, and waits for none of it', () => {
    const swarm = simulateSwarm();
    swarm.world.proxies = [
      { node: 'one', isEdge: true, leftAside: ['configureUdp udp-proxy'] },
      { node: 'two', isEdge: true },
    ];
    const udp = service({ ports: [{ port: 53, protocol: 'UDP' }] });
    const { done, owners } = swarm.settle([desire(udp)]);
    expect(told(done, 'one')).not.toContain('configureUdp');
    expect(told(done, 'two')).toContain('configureUdp');
    expect(owners[0]?.serving).toBe(true);
    swarm.world.proxies = swarm.world.proxies.map((each) => ({ ...each, leftAside: [] }));
    expect(told(swarm.settle([desire(udp)]).done, 'one')).toEqual(['configureUdp']);
  });

  it.each([
    [true, ['configureProxy', 'configureDns']],
    [false, []],
  ])(
    'is ready before anything is to be led, of a cluster that is declared (%s)',
    (declared, kinds) => {
      const { world } = simulateSwarm();
      const { steps, settled } = trafficOf([], [], world, { leaving: new Map(), now: 0, declared });
      expect(steps.map(({ kind }) => kind)).toEqual(kinds);
      expect(settled).toBe(!declared);
    },
  );

  it('leads nowhere where no server can be looked at', () => {
    const swarm = simulateSwarm();
    swarm.world.proxies = [];
    expect(swarm.settle([desire(service({}))]).owners[0]?.serving).toBe(false);
    swarm.world.proxies = [{ node: 'one', isEdge: true }];
    expect(swarm.settle([desire(service({}))]).owners[0]?.serving).toBe(true);
  });

  it('takes the edge from a server that is none any more, and from all when the last Ingress goes', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire(service({}), ingress())]);
    swarm.world.proxies = swarm.world.proxies.map((each) => ({ ...each, isEdge: false }));
    const [step] = swarm.settle([desire(service({}), ingress())]).done;
    expect(step).toMatchObject({ kind: 'configureEdge', config: { ports: [] } });
    swarm.world.proxies = [{ node: 'one', isEdge: true }];
    swarm.settle([desire(service({}), ingress())]);
    const { done } = swarm.settle([desire(service({}))]);
    expect(done).toContainEqual(
      expect.objectContaining({
        kind: 'configureEdge',
        config: expect.objectContaining({ ports: [] }),
      }),
    );
  });

  it('carries UDP, and answers aliases, only where there are such Services', () => {
    const swarm = simulateSwarm();
    const { done } = swarm.settle([desire(service({}))]);
    expect(told(done, 'one')).not.toContain('configureUdp');
    const udp = { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30_053 }] };
    expect(told(swarm.settle([desire(service(udp))]).done, 'one')).toContain('configureUdp');
    const alias = { type: 'ExternalName', externalName: 'db.test', selector: undefined, ports: [] };
    expect(told(swarm.settle([desire(service(alias))]).done, 'one')).toContain('configureRecords');
  });

  it('asks for a certificate once every edge answers for its hosts', () => {
    const swarm = simulateSwarm();
    const acme = {
      issuers: [{ name: 'acme', server: 'https://acme.test/directory' }],
      thumbprint: 't',
    };
    swarm.world.acme = { ...acme, certificates: {} };
    const annotations = { 'cert-manager.io/cluster-issuer': 'acme' };
    const secure = ingress([{ hosts: ['web.test'], secretName: 'web' }], annotations);
    swarm.settle([desire(service({}), secure)]);
    const { records } = swarm.world;
    const [order] = ordersOf(ingressesIn(records), acme, records);
    swarm.world.acme = { ...acme, certificates: { [order?.id ?? '']: {} } };
    swarm.world.proxies = [...swarm.world.proxies, { node: 'two', isEdge: true }];
    const { done, owners } = swarm.settle([desire(service({}), secure)]);
    expect(told(done, 'two')).toContain('configureEdge');
    expect(done.at(-1)).toEqual({ kind: 'orderCertificate', order });
    expect(owners[0]).toMatchObject({ serving: true });
  });

  it('refuses a nodePort that another owner has', () => {
    const swarm = simulateSwarm();
    const port = { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] };
    swarm.settle([desire(service(port))]);
    const other = { ...service(port), metadata: { name: 'other' } };
    const rival = { owner: 'blog/test', release: 'r1', resources: [other] };
    const { owners } = swarm.settle([desire(service(port)), rival]);
    expect(owners[1]?.failure).toBe(
      'Service/default/other asks for port 30080 of the host, which Service/default/web of shop/test has',
    );
  });
});
