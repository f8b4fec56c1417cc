import { describe, expect, it } from 'vitest';
import { endpointsOf } from '#core/docker/proxy.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { blinksUntil, isReady } from '#core/docker/readiness.ts';
import { running } from '#core/docker/testing/simulator.ts';
import type { LiveContainer, LivePod, ProbeState } from '#core/docker/world.ts';
import { normalise } from '#core/docker/workloads.ts';

const NOW = 10_000;
const ok: ProbeState = { ok: true, since: 0, answer: 'HTTP 200' };

function pod(change: Partial<LivePod> = {}, main: Partial<LiveContainer> = {}): LivePod {
  return {
    name: 'web-1-0',
    namespace: 'default',
    keeper: 'Deployment/default/web',
    owner: 'shop/local',
    labels: { app: 'web' },
    templateHash: '1',
    graceSeconds: 30,
    createdAt: 0,
    ip: '10.88.0.2',
    ports: {},
    hostPorts: [],
    sandbox: running(0),
    containers: { main: { ...running(0), ...main }, sidecar: running(0) },
    volumeHashes: {},
    probes: { main: { readiness: ok } },
    ...change,
  };
}

const unprobed = { main: { readiness: { ...ok, ok: false, unprobed: true as const } } };
const down = { unreadySince: NOW - 200, probes: unprobed };

describe('a pod that was ready', () => {
  it.each([
    { name: 'its container ended', of: pod(down, { state: 'exited' }) },
    { name: 'Docker starts its container again', of: pod(down, { state: 'restarting' }) },
    { name: 'its container runs again and is not probed yet', of: pod(down) },
    {
      name: 'a container without a probe ended',
      of: pod({ unreadySince: NOW - 200 }, { state: 'exited' }),
    },
  ])('has traffic a moment longer when $name', ({ of }) => {
    expect(isReady(of)).toBe(false);
    expect(blinksUntil(of, NOW)).toBe(NOW + 800);
  });

  it.each([
    { name: 'it is ready', of: pod() },
    { name: 'it never was', of: pod({ probes: unprobed }, { state: 'restarting' }) },
    { name: 'the moment is over', of: pod({ ...down, unreadySince: NOW - 1_000 }) },
    {
      name: 'a probe says no',
      of: pod({ ...down, probes: { main: { readiness: { ...ok, ok: false } } } }),
    },
    { name: 'its container hangs', of: pod(down, { state: 'paused' }) },
    { name: 'it is being deleted', of: pod({ ...down, deletingSince: NOW }) },
    { name: 'its container lost its network', of: pod(down, { state: 'exited', joined: false }) },
    {
      name: 'its sandbox is down',
      of: pod({ ...down, sandbox: { ...running(0), state: 'exited' } }),
    },
    {
      name: 'its container cannot be made',
      of: pod({
        ...down,
        problem: { container: 'main', reason: 'CreateContainerError', message: '', retryAt: 0 },
      }),
    },
  ])('has none by that when $name', ({ of }) => {
    expect(blinksUntil(of, NOW)).toBeUndefined();
  });

  it('is an endpoint until the moment is over', () => {
    const service = normalise({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    }) as unknown as Service;
    const blinking = pod(down, { state: 'restarting' });
    expect(endpointsOf(service, [blinking], NOW)).toEqual([blinking]);
    expect(endpointsOf(service, [blinking], NOW + 800)).toEqual([]);
  });
});
