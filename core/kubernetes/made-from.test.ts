import { describe, expect, it } from 'vitest';
import { imagesOf, mayBeMadeFrom } from '#core/kubernetes/made-from.ts';
import type { Resource } from '#core/resources/resource.ts';

const AT = 1_000_000;

function podSpec(image: string): object {
  return {
    initContainers: [{ name: 'first', image: 'busybox' }],
    containers: [{ name: 'web', image }],
  };
}

function workload(kind: string, spec: object): Resource {
  return { apiVersion: 'v1', kind, metadata: { name: 'web' }, spec };
}

const deployment = workload('Deployment', { template: { spec: podSpec('web@sha256:1') } });
const job = { template: { spec: podSpec('web@sha256:1') } };

describe('a pod', () => {
  it.each([
    ['a Deployment', deployment],
    ['a CronJob', workload('CronJob', { jobTemplate: { spec: job } })],
    ['a Pod', workload('Pod', podSpec('web@sha256:1'))],
  ])('is made from %s with its images', (_what, resource) => {
    // What the cluster has put into it is no matter.
    const images = { ...imagesOf(podSpec('web@sha256:1') as never), sidecar: 'mesh:1' };
    expect(mayBeMadeFrom({ images, at: AT }, { at: AT - 1, resource })).toBe(true);
  });

  it.each([
    [
      'with another image',
      { at: AT, images: { first: 'busybox', web: 'web@sha256:2' } },
      deployment,
    ],
    [
      'released later',
      { at: AT - 10_000, images: imagesOf(podSpec('web@sha256:1') as never) },
      deployment,
    ],
    ['without containers', { at: AT, images: {} }, workload('ConfigMap', {})],
  ])('is not made from one %s', (_what, made, resource) => {
    expect(mayBeMadeFrom(made, { at: AT, resource })).toBe(false);
  });
});
