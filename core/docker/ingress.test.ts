import { describe, expect, it } from 'vitest';
import { ingressSections } from '#core/docker/ingress.ts';
import { Ingress } from '#core/docker/kinds-ingress.ts';

const backend = { service: { name: 'web', port: { number: 80 } } };
const ANY = { defaultBackend: backend };
const NAMED = {
  rules: [{ host: 'a.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
};

function sections(
  spec: object,
  annotations: Record<string, string> = {},
  certificates: string[] = [],
): string {
  const ingress = Ingress.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', annotations },
    spec,
  });
  return ingressSections({
    ingresses: [{ ingress, recordedAt: 1 }],
    ports: { http: 80, https: 443 },
    certificates,
    challenged: [],
    thumbprint: '',
    users: [],
    serversOf: () => [],
  }).join('\n');
}

describe('the edge', () => {
  it.each([
    { name: 'no host is named', spec: ANY, annotations: {}, times: 0 },
    { name: 'a rule names a host', spec: NAMED, annotations: {}, times: 2 },
    {
      name: 'a redirect leads to the same host',
      spec: ANY,
      annotations: { 'nginx.ingress.kubernetes.io/temporal-redirect': 'https://$host/new' },
      times: 2,
    },
  ])('looks at the host $times times where $name', ({ spec, annotations, times }) => {
    const text = sections(spec, annotations, ['/tls-a.pem']);
    expect(text.match(/set-var\(txn\.host\)/g) ?? []).toHaveLength(times);
  });

  it('looks at the host before it is asked about', () => {
    const text = sections(NAMED);
    expect(text.indexOf('set-var(txn.host)')).toBeLessThan(text.indexOf('{ var(txn.host) '));
  });

  it('writes the address of a client once for each connection, and drops what that says of itself', () => {
    const text = sections(ANY);
    expect(text.match(/%\[src\]/g)).toHaveLength(1);
    for (const header of ['X-Forwarded-For', 'X-Real-IP'])
      expect(text).toContain(`  http-request set-header ${header} %[var(sess.client)]\n`);
  });
});
