import { describe, expect, it } from 'vitest';
import { sortWorkloads } from '#core/docker/workloads.ts';
import type { Resource } from '#core/resources/resource.ts';
import { normaliseForSwarm } from '#core/swarm/normalise.ts';
import { serviceOf } from '#core/swarm/service-of.ts';
import type { EndpointMode, ServiceSpec } from '#core/swarm/service.ts';

interface Said {
  kind?: string;
  spec?: object;
  pod?: object;
  container?: object;
  endpointMode?: EndpointMode;
}

function specOf(said: Said): ServiceSpec {
  const { kind = 'Deployment', spec = {}, pod = {}, container = {}, endpointMode = 'dnsrr' } = said;
  const labels = { app: 'web' };
  const resource = normaliseForSwarm({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'web', image: 'web:1', ...container }], ...pod },
      },
      ...spec,
    },
  } as Resource);
  const workloads = sortWorkloads([resource]);
  const [workload] = workloads.keepers;
  if (workload === undefined) throw new Error('there is none');
  const place = { cluster: 'c', installation: 'i' };
  const network = { networkId: 'net', nameServers: [], endpointMode };
  const scope = { place, seal: (text: string) => text, ...network };
  return serviceOf(workload, 'shop/test', workloads, scope).spec;
}

describe('serviceOf', () => {
  it.each<{ kind: string; endpointMode: EndpointMode }>([
    { kind: 'Deployment', endpointMode: 'dnsrr' },
    { kind: 'Deployment', endpointMode: 'vip' },
    { kind: 'DaemonSet', endpointMode: 'vip' },
  ])('has a $kind found by $endpointMode', (said) => {
    const container = { ports: [{ containerPort: 80, hostPort: 8080 }] };
    const spec = {
      [said.kind === 'DaemonSet' ? 'updateStrategy' : 'strategy']: {
        rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
      },
    };
    expect(specOf({ ...said, container, spec }).EndpointSpec).toMatchObject({
      Mode: said.endpointMode,
      Ports: [{ PublishedPort: 8080, PublishMode: 'host' }],
    });
  });

  it.each([
    { text: '{{.Node.ID}}', is: '{{"{{"}}.Node.ID}}' },
    { text: 'a { b }', is: 'a { b }' },
  ])('has $text in a variable mean itself', ({ text, is }) => {
    const { ContainerSpec } = specOf({
      container: { env: [{ name: 'A', value: text }] },
    }).TaskTemplate;
    expect(ContainerSpec.Env).toEqual([`A=${is}`]);
  });

  it('has tasks log to files that are bounded', () => {
    expect(specOf({}).TaskTemplate.LogDriver).toEqual({
      Name: 'json-file',
      Options: { 'max-size': '10m', 'max-file': '3' },
    });
  });

  it('fills the name of a task in', () => {
    const fieldRef = { fieldPath: 'metadata.name' };
    const env = [{ name: 'POD', valueFrom: { fieldRef } }];
    const { ContainerSpec } = specOf({ container: { env } }).TaskTemplate;
    expect(ContainerSpec.Env).toEqual(['POD={{.Task.Name}}']);
  });

  it.each([
    { what: 'the default of one', spec: {}, Parallelism: 1, Order: 'start-first' },
    { what: 'the default of ten', spec: { replicas: 10 }, Parallelism: 3, Order: 'start-first' },
    {
      what: 'no surge',
      spec: { replicas: 10, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '50%' } } },
      Parallelism: 5,
      Order: 'stop-first',
    },
    {
      what: 'Recreate',
      spec: { strategy: { type: 'Recreate' } },
      Parallelism: 0,
      Order: 'stop-first',
    },
  ])('updates as $what wants it', ({ spec, Parallelism, Order }) => {
    expect(specOf({ spec }).UpdateConfig).toMatchObject({
      Parallelism,
      Order,
      FailureAction: 'rollback',
      Monitor: 5e9,
    });
  });

  it.each<{ what: string; said: Said; Parallelism: number; Order: string }>([
    {
      what: 'minReadySeconds',
      said: { spec: { replicas: 4, minReadySeconds: 30 } },
      Parallelism: 2,
      Order: 'stop-first',
    },
    {
      what: 'a readiness probe',
      said: {
        spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
        container: { readinessProbe: { tcpSocket: { port: 80 } } },
      },
      Parallelism: 1,
      Order: 'stop-first',
    },
    {
      what: 'one of a DaemonSet that may go first',
      said: {
        kind: 'DaemonSet',
        spec: { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
        container: { readinessProbe: { tcpSocket: { port: 80 } } },
      },
      Parallelism: 1,
      Order: 'start-first',
    },
  ])('goes on when it is told with $what', ({ said, Parallelism, Order }) => {
    const { UpdateConfig } = specOf(said);
    expect(UpdateConfig).toMatchObject({ Parallelism, Order, FailureAction: 'pause' });
    expect(UpdateConfig?.Delay).toBeGreaterThan(1e15);
  });

  it('gives a port of the server up first', () => {
    const spec = { replicas: 4 };
    const made = specOf({ spec, container: { ports: [{ containerPort: 80, hostPort: 8080 }] } });
    expect(made.UpdateConfig).toMatchObject({ Parallelism: 1, Order: 'stop-first' });
    expect(made.EndpointSpec).toEqual({
      Mode: 'dnsrr',
      Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'host' }],
    });
  });

  it('says where tasks run', () => {
    const expressions = [
      { key: 'zone', operator: 'NotIn', values: ['a', 'b'] },
      { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] },
    ];
    const evenly = { maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' };
    const pod = {
      nodeSelector: {
        disk: 'ssd',
        'kubernetes.io/hostname': 'one',
        'topology.kubernetes.io/region': 'eu',
      },
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: expressions }],
          },
        },
      },
      topologySpreadConstraints: [
        { topologyKey: 'topology.kubernetes.io/zone', ...evenly },
        { topologyKey: 'kubernetes.io/hostname', ...evenly },
      ],
    };
    expect(specOf({ pod }).TaskTemplate.Placement).toEqual({
      Constraints: [
        'node.labels.windlass.applications==true',
        'node.labels.disk==ssd',
        'node.labels.windlass.server==one',
        'node.labels._topology.kubernetes.io_region==eu',
        'node.labels.zone!=a',
        'node.labels.zone!=b',
        'node.platform.arch==x86_64',
      ],
      Preferences: [{ Spread: { SpreadDescriptor: 'node.labels._topology.kubernetes.io_zone' } }],
    });
  });

  it('reserves what is requested, or else what is the limit', () => {
    const resources = { requests: { cpu: '100m' }, limits: { cpu: 1, memory: '64Mi' } };
    expect(specOf({ container: { resources } }).TaskTemplate.Resources).toEqual({
      Limits: { NanoCPUs: 1e9, MemoryBytes: 64 * 2 ** 20 },
      Reservations: { NanoCPUs: 1e8, MemoryBytes: 64 * 2 ** 20 },
    });
  });

  it('checks health by the liveness command, and by none of the image', () => {
    expect(specOf({}).TaskTemplate.ContainerSpec.Healthcheck).toEqual({ Test: ['NONE'] });
    const livenessProbe = { exec: { command: ['test', '-f', '/ok'] }, periodSeconds: 2 };
    expect(specOf({ container: { livenessProbe } }).TaskTemplate.ContainerSpec.Healthcheck).toEqual(
      {
        Test: ['CMD', 'test', '-f', '/ok'],
        Interval: 2e9,
        Timeout: 1e9,
        StartPeriod: 0,
        Retries: 3,
      },
    );
  });

  it.each([
    {
      by: 'a connection',
      asks: { tcpSocket: { port: 80 } },
      command: [
        'sh',
        '-c',
        expect.stringContaining('nc $verbose -w'),
        '/.windlass/busybox',
        '127.0.0.1',
        '80',
        '2',
      ],
    },
    {
      by: 'HTTP',
      asks: {
        httpGet: { path: '/up', port: 80, httpHeaders: [{ name: 'Host', value: 'a.example' }] },
      },
      command: [
        'sh',
        '-c',
        expect.stringContaining('nc $verbose -w'),
        '/.windlass/busybox',
        '127.0.0.1',
        '80',
        '2',
        'GET /up HTTP/1.1\r\nUser-Agent: windlass-probe\r\nAccept: */*\r\nConnection: close\r\nHost: a.example\r\n\r\n',
      ],
    },
  ])('has a program of the server ask a task by $by', ({ asks, command }) => {
    const livenessProbe = { ...asks, initialDelaySeconds: 5, timeoutSeconds: 2 };
    const { Healthcheck, Mounts } = specOf({ container: { livenessProbe } }).TaskTemplate
      .ContainerSpec;
    expect(Healthcheck).toEqual({
      Test: ['CMD', '/.windlass/busybox', ...command],
      Interval: 10e9,
      Timeout: 12e9,
      StartPeriod: 5e9,
      Retries: 3,
    });
    expect(Mounts).toEqual([
      {
        Type: 'volume',
        Source: 'probes.c-i',
        Target: '/.windlass',
        ReadOnly: true,
        VolumeOptions: { NoCopy: true },
      },
    ]);
  });

  it.each([
    {
      what: 'and the liveness probe then',
      startup: { initialDelaySeconds: 4, failureThreshold: 30 },
      livenessProbe: { tcpSocket: { port: 80 }, timeoutSeconds: 5 },
      // The last three of the 30 tries count.
      is: { Interval: 10e9, Timeout: 15e9, StartPeriod: 284e9, Retries: 3 },
    },
    {
      what: 'alone',
      startup: { periodSeconds: 2, timeoutSeconds: 4 },
      livenessProbe: undefined,
      is: { Interval: 2e9, Timeout: 14e9, StartPeriod: 2e9, Retries: 3 },
    },
  ])('asks by the startup probe first, $what', ({ startup, livenessProbe, is }) => {
    const startupProbe = { exec: { command: ['test', '-f', '/ok'] }, ...startup };
    const container = { startupProbe, ...(livenessProbe === undefined ? {} : { livenessProbe }) };
    const { Healthcheck, Mounts } = specOf({ container }).TaskTemplate.ContainerSpec;
    expect(Healthcheck).toMatchObject(is);
    const begins = ['CMD', '/.windlass/busybox', 'sh', '-c', expect.anything()];
    expect(Healthcheck.Test.slice(0, 8)).toEqual([
      ...begins,
      '/.windlass/busybox',
      '/dev/shm/.windlass-started',
      '9',
    ]);
    expect(Healthcheck.Test.slice(14, 17)).toEqual(['test', '-f', '/ok']);
    expect(Healthcheck.Test.slice(17).includes('80')).toBe(livenessProbe !== undefined);
    expect(Mounts).toMatchObject([{ Target: '/.windlass', ReadOnly: true }]);
  });

  it('has one task on each server for a DaemonSet', () => {
    expect(specOf({ kind: 'DaemonSet' }).Mode).toEqual({ Global: {} });
  });
});
