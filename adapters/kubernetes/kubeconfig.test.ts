import { describe, expect, it } from 'vitest';
import { parseKubeconfig } from './kubeconfig.ts';

const CLUSTER = '{ name: c, cluster: { server: "https://api.example.com:6443/" } }';
const CONTEXT = '{ name: prod, context: { cluster: c, user: u } }';

function config(user: string, cluster = CLUSTER): string {
  return `
apiVersion: v1
kind: Config
current-context: prod
clusters: [${cluster}]
contexts: [${CONTEXT}]
users: [{ name: u, user: ${user} }]`;
}

describe('parseKubeconfig', () => {
  it.each([
    ['a token', '{ token: t }', { token: 't' }],
    ['a file with one', '{ tokenFile: run/token }', { tokenFile: '/etc/windlass/run/token' }],
    [
      'a certificate, in it and beside it',
      '{ client-certificate-data: UEVN, client-key: key.pem }',
      { cert: { text: 'PEM' }, key: { file: '/etc/windlass/key.pem' } },
    ],
    ['a password', '{ username: ann, password: p }', { basic: { username: 'ann', password: 'p' } }],
    [
      'a plugin',
      '{ exec: { apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [a] } }',
      {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: './login',
          args: ['a'],
          folder: '/etc/windlass',
        },
      },
    ],
    [
      'an account to act as',
      '{ token: t, as: system:serviceaccount:shop:deploy, as-groups: [g] }',
      { token: 't', impersonate: { user: 'system:serviceaccount:shop:deploy', groups: ['g'] } },
    ],
    ['nobody', '{}', {}],
  ])('reads %s', (_, user, access) => {
    expect(parseKubeconfig(config(user), '/etc/windlass')).toEqual({
      server: 'https://api.example.com:6443',
      user: access,
    });
  });

  it.each([
    ['what is no YAML', '{ a: [', undefined, /^the kubeconfig is not YAML$/],
    ['a context that is not there', config('{}'), 'prd', /has no context prd/],
    [
      'a cluster that is not there',
      config('{}', '{ name: d, cluster: { server: "https://a" } }'),
      undefined,
      /has no cluster c/,
    ],
    [
      'a server that is no URL',
      config('{}', '{ name: c, cluster: { server: api } }'),
      undefined,
      /clusters.0.cluster.server/,
    ],
    [
      'a proxy',
      config('{}', '{ name: c, cluster: { server: "https://a", proxy-url: "http://p" } }'),
      undefined,
      /proxy-url/,
    ],
    [
      'what Kubernetes has removed',
      config('{ auth-provider: { name: gcp } }'),
      undefined,
      /auth-provider/,
    ],
  ])('refuses %s', (_, text, context, message) => {
    expect(() => parseKubeconfig(text, '.', context)).toThrow(message);
  });

  it('quotes nothing of a kubeconfig that it cannot read', () => {
    expect(() => parseKubeconfig('token: hunter2\n  : [', '.')).toThrow(
      /^the kubeconfig is not YAML$/,
    );
  });
});
