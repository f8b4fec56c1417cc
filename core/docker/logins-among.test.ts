import { expect, it } from 'vitest';
import { loginsAmong } from '#core/docker/pull-secrets.ts';
import type { Resource } from '#core/resources/resource.ts';

const SECRET: Resource = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'login' },
  type: 'kubernetes.io/dockercfg',
  stringData: { '.dockercfg': '{"docker.io":{"username":"ann","password":"secret"}}' },
};
const POD = {
  imagePullSecrets: [{ name: 'login' }],
  containers: [{ name: 'web', image: 'docker.io/team/web:1' }],
};

it.each([
  { of: 'a Deployment', kind: 'Deployment', spec: { template: { spec: POD } } },
  {
    of: 'one with what another engine has',
    kind: 'Deployment',
    spec: { template: { spec: { ...POD, nodeSelector: { disk: 'ssd' } } } },
  },
  {
    of: 'a CronJob',
    kind: 'CronJob',
    spec: { jobTemplate: { spec: { template: { spec: POD } } } },
  },
])('finds the logins of $of', ({ kind, spec }) => {
  const custom: Resource = { apiVersion: 'e.com/v1', kind: 'Custom', metadata: { name: 'c' } };
  const resource: Resource = { apiVersion: 'v1', kind, metadata: { name: 'web' }, spec };
  const resources = [SECRET, custom, resource];
  expect(loginsAmong(resources, 'docker.io/team/web:1')).toEqual([
    { username: 'ann', password: 'secret' },
  ]);
  expect(loginsAmong(resources, 'docker.io/team/other:1')).toEqual([]);
});
