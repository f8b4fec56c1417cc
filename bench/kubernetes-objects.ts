import type { DesiredState } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';

const KINDS = 10;
/** An inventory has room for about 8,000. */
const PER_OWNER = 1_000;

/** So many objects of ten kinds, as applications have them, without pods; of the first a value says which change it is. */
export function kubernetesObjects(namespace: string, count: number, change: number): Resource[] {
  return Array.from({ length: count / KINDS }, (_, index) =>
    application(`app-${index}`, namespace, index === 0 ? change : 0),
  ).flat();
}

/** What deploy entries want, a thousand objects each. */
export function desiredOf(resources: readonly Resource[]): DesiredState[] {
  return Array.from({ length: Math.ceil(resources.length / PER_OWNER) }, (_, index) => ({
    owner: `bench/part-${index}`,
    release: 'r1',
    resources: resources.slice(index * PER_OWNER, (index + 1) * PER_OWNER),
  }));
}

function application(name: string, namespace: string, change: number): Resource[] {
  const labels = { app: name };
  const container = {
    name: 'main',
    image: 'busybox:1.36',
    command: ['sleep', '86400'],
    env: [{ name: 'MODE', valueFrom: { configMapKeyRef: { name, key: 'mode' } } }],
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5 },
    resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
    volumeMounts: [{ name: 'files', mountPath: '/etc/app' }],
  };
  const volumes = [{ name: 'files', configMap: { name: `${name}-files` } }];
  function meta(suffix = ''): Resource['metadata'] {
    return { name: `${name}${suffix}`, namespace, labels };
  }
  function configMap(suffix: string, data: Record<string, string>): Resource {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta(suffix), data };
  }
  const rbac = 'rbac.authorization.k8s.io';
  return [
    configMap('', { mode: 'production', change: String(change) }),
    configMap('-files', { 'app.conf': 'listen = 8080\nworkers = 4\n'.repeat(20) }),
    configMap('-scripts', { 'start.sh': '#!/bin/sh\nexec /app "$@"\n', 'stop.sh': '#!/bin/sh\n' }),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: meta(),
      data: { password: 'bm90LWEtcGFzc3dvcmQ=', user: 'YW5u' },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta() },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: meta(),
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: meta(),
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta(),
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: meta(),
      spec: {
        podSelector: { matchLabels: labels },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP', port: 8080 }] }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: meta(),
      spec: {
        // What its pods do is no matter here.
        replicas: 0,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { serviceAccountName: name, containers: [container], volumes },
        },
      },
    },
  ];
}
