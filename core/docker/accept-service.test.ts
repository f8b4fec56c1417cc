import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { acceptResources } from '#core/docker/accepts.ts';
import { parseManifests } from '#core/resources/parse.ts';

/** What is wrong with a Service of that spec: `path: message`. */
function problemsOf(spec: object): string[] {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec };
  const parsed = parseManifests([{ path: 'web.yaml', text: stringify(service) }]);
  return [...parsed.problems, ...acceptResources(parsed)].map(
    ({ path, message }) => `${path}: ${message}`,
  );
}

const selector = { app: 'web' };
const tcp = { name: 'tcp', port: 53 };
const udp = { name: 'udp', port: 53, protocol: 'UDP' };

describe('a Service', () => {
  it('has a port number once for TCP and once for UDP', () => {
    expect(problemsOf({ selector, ports: [tcp, udp] })).toEqual([]);
    const balanced = { selector, type: 'LoadBalancer', ports: [tcp, udp] };
    expect(problemsOf(balanced)).toEqual([]);
    expect(problemsOf({ selector, ports: [udp, { ...udp, name: 'more' }] })).toEqual([
      'spec.ports[1].port: port 53/UDP is there twice',
    ]);
  });

  it('waits for a port of the host, or fails, and nothing else', () => {
    const metadata = { name: 'web', annotations: { 'windlass.dev/port-in-use': 'take' } };
    const spec = { selector, ports: [tcp] };
    const service = { apiVersion: 'v1', kind: 'Service', metadata, spec };
    const parsed = parseManifests([{ path: 'a', text: stringify(service) }]);
    expect(acceptResources(parsed).map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'metadata.annotations["windlass.dev/port-in-use"]: must be fail or wait',
    ]);
  });

  it('has no port of SCTP', () => {
    expect(problemsOf({ selector, ports: [{ port: 80, protocol: 'SCTP' }] })).toEqual([
      'spec.ports[0].protocol: must be TCP or UDP: neither of the proxies carries SCTP',
    ]);
  });

  it('has one address, of IPv4, that the cluster gives', () => {
    const asked = {
      clusterIP: '10.0.0.9',
      ipFamilies: ['IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    };
    expect(problemsOf({ selector, ports: [tcp], ...asked })).toEqual([
      'spec.clusterIP: must be None, or left out: the cluster gives addresses',
      'spec.ipFamilies[0]: must be IPv4: the network of the cluster is IPv4',
      'spec.ipFamilyPolicy: must be SingleStack or PreferDualStack: the network of the cluster is IPv4',
    ]);
  });

  it('of type ExternalName leads to a name, whatever else it says', () => {
    const external = { type: 'ExternalName', externalName: 'db.example.com' };
    expect(problemsOf(external)).toEqual([]);
    expect(problemsOf({ ...external, externalName: 'db.example.com.' })).toEqual([]);
    expect(problemsOf({ ...external, selector, ports: [tcp] })).toEqual([]);
    expect(problemsOf({ type: 'ExternalName' })).toEqual([
      'spec.externalName: is what the name leads to',
    ]);
    expect(problemsOf({ ...external, clusterIP: 'None' })).toEqual([
      'spec.clusterIP: a Service of type ExternalName is not headless',
    ]);
    expect(problemsOf({ ...external, ports: [{ port: 1, nodePort: 30_000 }] })).toEqual([
      'spec.ports[0].nodePort: belongs to type: NodePort',
    ]);
    expect(problemsOf({ ...external, externalName: 'DB_1' })).toHaveLength(1);
    expect(problemsOf({ selector, ports: [tcp], externalName: 'db.example.com' })).toEqual([
      'spec.externalName: belongs to type: ExternalName',
    ]);
  });
});

describe('what a Service says beside something else', () => {
  it.each([
    ['sessionAffinityConfig', { sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }],
    ['clusterIPs', { clusterIPs: ['None'] }],
    ['externalTrafficPolicy', { externalTrafficPolicy: 'Cluster' }],
    ['allocateLoadBalancerNodePorts', { allocateLoadBalancerNodePorts: false }],
    ['loadBalancerSourceRanges', { loadBalancerSourceRanges: ['192.0.2.0/24'] }],
  ])('%s is refused without it', (field, spec) => {
    const problems = problemsOf({ selector, ports: [tcp], ...spec });
    expect(problems).toEqual([expect.stringMatching(`^spec\\.${field}: `)]);
  });

  it('is taken with it', () => {
    const sticky = {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_400 } },
    };
    expect(problemsOf({ selector, ports: [tcp], ...sticky })).toEqual([]);
    expect(problemsOf({ selector, clusterIP: 'None', clusterIPs: ['None'] })).toEqual([]);
    expect(problemsOf({ selector, ports: [tcp], clusterIP: '' })).toEqual([]);
    const balanced = {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: false,
    };
    expect(problemsOf({ selector, ports: [tcp], ...balanced })).toEqual([]);
  });

  it.each([
    ['externalIPs', { externalIPs: ['192.0.2.1'] }, 'answers on every address of the host'],
    ['loadBalancerIP', { loadBalancerIP: '192.0.2.1' }, 'the address is that of the host'],
    ['externalTrafficPolicy', { externalTrafficPolicy: 'Local' }, "pods see the proxy's address"],
    ['clusterIP', { clusterIP: '10.0.0.1' }, 'the cluster gives addresses'],
    ['selector', { selector: undefined }, 'addresses of an EndpointSlice are not taken'],
  ])('%s that has no meaning here is refused with the reason', (field, spec, reason) => {
    const problems = problemsOf({ type: 'NodePort', selector, ports: [tcp], ...spec });
    expect(problems).toEqual([expect.stringContaining(`spec.${field}: `)]);
    expect(problems[0]).toContain(reason);
  });

  it('of a port may be any protocol above TCP or UDP', () => {
    for (const appProtocol of ['http', 'kubernetes.io/h2c'])
      expect(problemsOf({ selector, ports: [{ ...tcp, appProtocol }] })).toEqual([]);
    expect(problemsOf({ selector, ports: [{ ...tcp, appProtocol: 'a b' }] })).toHaveLength(1);
  });
});

it.each([
  ['NetworkPolicy', 'networking.k8s.io/v1', 'comes to its pods from a proxy'],
  ['EndpointSlice', 'discovery.k8s.io/v1', 'type: ExternalName'],
  ['Endpoints', 'v1', 'type: ExternalName'],
])('refuses a %s with the reason', (kind, apiVersion, reason) => {
  const text = stringify({ apiVersion, kind, metadata: { name: 'web' }, spec: {} });
  const parsed = parseManifests([{ path: 'web.yaml', text }]);
  const [problem, ...others] = [...parsed.problems, ...acceptResources(parsed)];
  expect(problem?.path).toBe('kind');
  expect(problem?.message).toContain(`the docker engine does not run ${kind}: `);
  expect(problem?.message).toContain(reason);
  expect(others).toEqual([]);
});
