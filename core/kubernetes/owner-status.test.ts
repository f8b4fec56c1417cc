import { describe, expect, it } from 'vitest';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import { ownerStatus, targetStatuses } from '#core/kubernetes/owner-status.ts';
import type { OwnerPlan } from '#core/kubernetes/plan-owner.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import { targetsOf } from '#core/kubernetes/target.ts';
import type { OwnerStatus } from '#core/engine.ts';

const KIND = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
  verbs: [],
};
const [TARGET] = targetsOf(
  {
    owner: 'shop/prod',
    release: 'r',
    resources: [
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } },
    ],
  },
  [KIND],
  { installation: 'i', seal: () => 'hash', autoscaled: new Set() },
);
const NOTHING: OwnerPlan = { changes: [], remarked: [], deletions: [], held: [], entries: {} };
const PROGRESSING: Seen = {
  health: { status: 'Progressing', reason: '1 of 2 pods are new' },
  summary: '1 of 2 ready',
};
const HEALTHY: Seen = { health: { status: 'Healthy', reason: '' }, summary: '2 of 2 ready' };

function pod(name: string, template: string, createdAt: number, reason?: string): KeptPod {
  return {
    name,
    namespace: 'shop',
    owner: 'Deployment/shop/web',
    uid: name,
    resourceVersion: '1',
    template,
    isEnding: false,
    backingOff: [],
    ready: reason === undefined,
    createdAt,
    containers: [
      {
        name: 'web',
        image: 'web:1',
        state: 'waiting',
        ready: false,
        restarts: 0,
        ...(reason === undefined ? {} : { reason }),
      },
    ],
  };
}

function statusOf(seen: Seen | undefined, pods: KeptPod[] = [], applied = 'hash'): OwnerStatus {
  const kept = seen === undefined ? undefined : ({ seen, applied } as KeptObject);
  const statuses = targetStatuses({
    targets: TARGET === undefined ? [] : [TARGET],
    entries: {},
    live: () => kept,
    pods: new Map([['Deployment/shop/web', pods]]),
  });
  return ownerStatus({ owner: 'shop/prod', release: 'r' }, NOTHING, statuses, (each) => each);
}

describe('an owner', () => {
  it('serves when everything is well', () => {
    expect(statusOf(HEALTHY)).toMatchObject({ serving: true, plan: [] });
  });

  it.each([
    ['is under way', PROGRESSING],
    ['is not there', undefined],
  ])('does not serve while something %s', (_, seen) => {
    const { serving, failure } = statusOf(seen);
    expect({ serving, failure }).toEqual({ serving: false, failure: undefined });
  });

  it('has failed when its newest pods cannot get well', () => {
    const pods = [pod('old', 'a', 1), pod('new', 'b', 2, 'ImagePullBackOff')];
    expect(statusOf(PROGRESSING, pods).failure).toBe(
      'Deployment/shop/web: web in new: ImagePullBackOff',
    );
  });

  it('says why the pods wait of what came too late', () => {
    const health = { status: 'Degraded', reason: 'ProgressDeadlineExceeded: timed out.' } as const;
    const late: Seen = { health, summary: '', isFinal: true };
    const waiting = { ...pod('new', 'b', 2), unschedulable: 'no node takes it: 0/1 nodes' };
    expect(statusOf(late, [waiting]).failure).toBe(
      'Deployment/shop/web: ProgressDeadlineExceeded: timed out. no node takes it: 0/1 nodes',
    );
  });

  it.each([
    [
      'older pods',
      PROGRESSING,
      [pod('old', 'a', 1, 'ImagePullBackOff'), pod('new', 'b', 2)],
      'hash',
    ],
    ['pods of what serves all the same', HEALTHY, [pod('new', 'b', 2, 'ImagePullBackOff')], 'hash'],
    ['what was applied before', PROGRESSING, [pod('new', 'b', 2, 'ImagePullBackOff')], 'before'],
  ])('has not failed by %s', (_, seen, pods, applied) => {
    expect(statusOf(seen, pods, applied).failure).toBeUndefined();
  });
});
