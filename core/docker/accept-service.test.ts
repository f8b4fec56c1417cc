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

  it('has no port of SCTP', () => {
    expect(problemsOf({ selector, ports: [{ port: 80, protocol: 'SCTP' }] })).toEqual([
      'spec.ports[0].protocol: must be TCP or UDP: neither of the proxies carries SCTP',
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
