import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { parseManifests } from '#core/resources/parse.ts';
import { acceptForSwarm } from '#core/swarm/accept.ts';
import { fieldsRefusedOnSwarm } from '#core/swarm/refusals.ts';
import { fieldsOf } from '#core/kubernetes/fields.ts';

interface Said {
  kind?: string;
  spec?: object;
  pod?: object;
  container?: object;
}

function problemsOf({ kind = 'Deployment', spec = {}, pod = {}, container = {} }: Said): string[] {
  const labels = { app: 'web' };
  const isJob = kind === 'Job';
  const text = stringify({
    apiVersion: isJob ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: {
      ...(isJob ? {} : { selector: { matchLabels: labels } }),
      template: {
        metadata: { labels },
        spec: {
          containers: [{ name: 'web', image: 'web:1', ...container }],
          ...(isJob ? { restartPolicy: 'Never' } : {}),
          ...pod,
        },
      },
      ...spec,
    },
  });
  return acceptForSwarm(parseManifests([{ path: 'f.yaml', text }])).map(
    ({ path, message }) => `${path}: ${message}`,
  );
}

/** Has both probes. */
function probed(startup: object, liveness: object): Said {
  const ask = { tcpSocket: { port: 80 } };
  const container = {
    startupProbe: { ...ask, ...startup },
    livenessProbe: { ...ask, ...liveness },
  };
  return { container };
}

/** Over zones, of the pods that are selected. */
function spread(labelSelector: object | undefined, more: object = {}): object {
  const evenly = { topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway', ...more };
  return {
    topologySpreadConstraints: [
      { ...evenly, ...(labelSelector === undefined ? {} : { labelSelector }) },
    ],
  };
}

const POD = 'spec.template.spec';
const SPREAD = `${POD}.topologySpreadConstraints[0]`;
const WEB = `${POD}.containers[0]`;

describe('acceptForSwarm', () => {
  it.each<{ of: string; said: Said }>([
    { of: 'a Deployment', said: {} },
    { of: 'a DaemonSet', said: { kind: 'DaemonSet' } },
    { of: 'a Job', said: { kind: 'Job' } },
    {
      of: 'a node selector',
      said: { pod: { nodeSelector: { disk: 'ssd', 'topology.kubernetes.io/zone': 'eu-1' } } },
    },
    {
      of: 'servers of a Job',
      said: { kind: 'Job', pod: { nodeSelector: { disk: 'ssd' } } },
    },
    {
      of: 'servers of a Job by affinity',
      said: {
        kind: 'Job',
        pod: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [
                  { matchExpressions: [{ key: 'disk', operator: 'NotIn', values: ['hdd'] }] },
                ],
              },
            },
          },
        },
      },
    },
    {
      of: 'a DaemonSet without readiness whose old pods stay until the new ones run',
      said: {
        kind: 'DaemonSet',
        spec: { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
      },
    },
    { of: 'an even spread', said: { pod: spread({ matchLabels: { app: 'web' } }) } },
    {
      of: 'what asks for nothing',
      said: {
        spec: { paused: false },
        pod: { hostNetwork: false, initContainers: [] },
        container: { securityContext: { privileged: false, allowPrivilegeEscalation: true } },
      },
    },
    {
      of: 'a port of the server that may be given up',
      said: {
        spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } },
        container: { ports: [{ containerPort: 80, hostPort: 80 }] },
      },
    },
    {
      of: 'probes that can be made',
      said: {
        container: {
          livenessProbe: { exec: { command: ['true'] } },
          readinessProbe: { httpGet: { port: 80 } },
        },
      },
    },
    {
      of: 'a startup probe alone',
      said: { container: { startupProbe: { httpGet: { port: 80 } } } },
    },
    {
      of: 'a startup probe before a liveness probe, and memory that is shared',
      said: {
        container: {
          startupProbe: { exec: { command: ['true'] }, failureThreshold: 30 },
          livenessProbe: { tcpSocket: { port: 80 } },
          volumeMounts: [{ name: 'v', mountPath: '/dev/shm' }],
        },
        pod: { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }] },
      },
    },
    {
      of: 'a liveness probe by HTTP',
      said: { container: { livenessProbe: { httpGet: { port: 80 } } } },
    },
    {
      of: 'a liveness probe by a connection',
      said: { container: { livenessProbe: { tcpSocket: { port: 80 } } } },
    },
  ])('takes $of', ({ said }) => {
    expect(problemsOf(said)).toEqual([]);
  });

  it.each<{ what: string; said: Said; path: string; says: RegExp }>([
    {
      what: 'a second container',
      said: {
        pod: {
          containers: [
            { name: 'a', image: 'a:1' },
            { name: 'b', image: 'b:1' },
          ],
        },
      },
      path: `${POD}.containers[1]`,
      says: /one container: engine docker or kubernetes/,
    },
    {
      what: 'an init container',
      said: { pod: { initContainers: [{ name: 'a', image: 'a:1' }] } },
      path: `${POD}.initContainers`,
      says: /one container/,
    },
    {
      what: 'a liveness probe by HTTPS',
      said: { container: { livenessProbe: { httpGet: { port: 80, scheme: 'HTTPS' } } } },
      path: `${WEB}.livenessProbe.httpGet.scheme`,
      says: /none that speaks TLS/,
    },
    {
      what: 'a liveness probe by gRPC',
      said: { container: { livenessProbe: { grpc: { port: 80 } } } },
      path: `${WEB}.livenessProbe.grpc`,
      says: /none that speaks gRPC/,
    },
    {
      what: 'a startup probe by HTTPS',
      said: { container: { startupProbe: { httpGet: { port: 80, scheme: 'HTTPS' } } } },
      path: `${WEB}.startupProbe.httpGet.scheme`,
      says: /none that speaks TLS/,
    },
    {
      what: 'a startup probe by gRPC',
      said: { container: { startupProbe: { grpc: { port: 80 } } } },
      path: `${WEB}.startupProbe.grpc`,
      says: /none that speaks gRPC/,
    },
    {
      what: 'a startup probe of another period than the liveness probe',
      said: probed({ periodSeconds: 2 }, {}),
      path: `${WEB}.startupProbe.periodSeconds`,
      says: /must be that of the livenessProbe, 10/,
    },
    {
      what: 'a startup probe that gives up sooner than the liveness probe',
      said: probed({ failureThreshold: 2 }, {}),
      path: `${WEB}.startupProbe.failureThreshold`,
      says: /must not be less than that of the livenessProbe, 3/,
    },
    {
      what: 'a liveness probe that waits longer than the startup probe',
      said: probed({ initialDelaySeconds: 1 }, { initialDelaySeconds: 2 }),
      path: `${WEB}.livenessProbe.initialDelaySeconds`,
      says: /as soon as the startupProbe has succeeded/,
    },
    {
      what: 'a startup probe that cannot note that it succeeded',
      said: {
        container: {
          startupProbe: { tcpSocket: { port: 80 } },
          volumeMounts: [{ name: 'v', mountPath: '/dev/shm' }],
        },
        pod: { volumes: [{ name: 'v', emptyDir: {} }] },
      },
      path: `${WEB}.volumeMounts[0].mountPath`,
      says: /noted in .dev.shm/,
    },
    {
      what: 'a readiness probe by a command',
      said: { container: { readinessProbe: { exec: { command: ['true'] } } } },
      path: `${WEB}.readinessProbe.exec`,
      says: /asked over the network/,
    },
    {
      what: 'a policy of a Job',
      said: { kind: 'Job', spec: { podReplacementPolicy: 'Failed' } },
      path: 'spec.podReplacementPolicy',
      says: /starts a failed task again/,
    },
    {
      what: 'a surge that waits for the port of the server',
      said: { container: { ports: [{ containerPort: 80, hostPort: 80 }] } },
      path: 'spec.strategy',
      says: /waits for the port of the server/,
    },
    {
      what: 'privileges',
      said: { container: { securityContext: { privileged: true } } },
      path: `${WEB}.securityContext.privileged`,
      says: /cannot say it/,
    },
    {
      what: 'a type of a path',
      said: { pod: { volumes: [{ name: 'v', hostPath: { path: '/v', type: 'Directory' } }] } },
      path: `${POD}.volumes[0].hostPath.type`,
      says: /does not look at the path/,
    },
    {
      what: 'a limit of a folder on disk',
      said: { pod: { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }] } },
      path: `${POD}.volumes[0].emptyDir.sizeLimit`,
      says: /measures no volume/,
    },
    {
      what: 'a choice of servers',
      said: {
        pod: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [
                  { matchExpressions: [{ key: 'disk', operator: 'In', values: ['a', 'b'] }] },
                ],
              },
            },
          },
        },
      },
      path: `${POD}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values`,
      says: /must be one/,
    },
    {
      what: 'an empty label of a server',
      said: { pod: { nodeSelector: { gpu: '' } } },
      path: `${POD}.nodeSelector.gpu`,
      says: /compares no empty values/,
    },
    {
      what: 'a label of a server that none can have',
      said: { pod: { nodeSelector: { 'a b': 'c' } } },
      path: `${POD}.nodeSelector["a b"]`,
      says: /must be letters/,
    },
    {
      what: 'a spread of other pods',
      said: { pod: spread({ matchLabels: { tier: 'front' } }) },
      path: `${SPREAD}.labelSelector`,
      says: /must be the Deployment's own selector/,
    },
    {
      what: 'a spread of no pods',
      said: { pod: spread(undefined) },
      path: `${SPREAD}.labelSelector`,
      says: /must be the Deployment's own selector/,
    },
    {
      what: 'a spread of what is everywhere',
      said: { kind: 'DaemonSet', pod: spread({ matchLabels: { app: 'web' } }) },
      path: SPREAD,
      says: /a pod on every server/,
    },
    {
      what: 'a spread that is insisted on',
      said: {
        pod: spread({ matchLabels: { app: 'web' } }, { whenUnsatisfiable: 'DoNotSchedule' }),
      },
      path: `${SPREAD}.whenUnsatisfiable`,
      says: /does not insist on it/,
    },
    {
      what: 'a spread that may be uneven',
      said: { pod: spread({ matchLabels: { app: 'web' } }, { maxSkew: 2 }) },
      path: `${SPREAD}.maxSkew`,
      says: /spreads tasks evenly/,
    },
    {
      what: 'a spread of the pods of a Job',
      said: { kind: 'Job', pod: spread({ matchLabels: { app: 'web' } }) },
      path: `${POD}.topologySpreadConstraints`,
      says: /the swarm engine does not honour/,
    },
    {
      what: 'a DaemonSet whose old pods are to stay until the new ones are ready',
      said: {
        kind: 'DaemonSet',
        spec: { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
        container: { readinessProbe: { httpGet: { port: 80 } } },
      },
      path: 'spec.updateStrategy.rollingUpdate.maxUnavailable',
      says: /as soon as the new one runs, ready or not: engine docker or kubernetes/,
    },
    {
      what: 'a DaemonSet whose old pods are to stay until the new ones are available',
      said: {
        kind: 'DaemonSet',
        spec: {
          minReadySeconds: 5,
          updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        },
      },
      path: 'spec.updateStrategy.rollingUpdate.maxUnavailable',
      says: /as soon as the new one runs, ready or not/,
    },
    {
      what: 'the name of a pod as an argument',
      said: {
        container: {
          env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          command: ['echo', '$(POD)'],
        },
      },
      path: `${WEB}.command[1]`,
      says: /in its variables alone/,
    },
    {
      what: 'a misspelt field',
      said: { pod: { nodeSelecter: {} } },
      path: `${POD}.nodeSelecter`,
      says: /no such field/,
    },
  ])('refuses $what at its path', ({ said, path, says }) => {
    const problems = problemsOf(said);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(says);
    expect(problems[0]?.startsWith(`${path}: `)).toBe(true);
  });

  it.each(['HorizontalPodAutoscaler', 'Pod', 'StorageClass'])('refuses %s', (kind) => {
    const text = `{apiVersion: v1, kind: ${kind}, metadata: {name: a}}`;
    const [problem] = acceptForSwarm(parseManifests([{ path: 'f.yaml', text }]));
    expect(problem).toMatchObject({ path: 'kind' });
    expect(problem?.message).toContain(`the swarm engine does not run ${kind}: `);
  });

  it('names fields by the names that Kubernetes has', () => {
    const strange = fieldsRefusedOnSwarm().filter((name) => {
      const [type = '', field = ''] = name.split('.');
      return !Object.hasOwn(fieldsOf(type) ?? {}, field);
    });
    expect(strange).toEqual([]);
  });
});
