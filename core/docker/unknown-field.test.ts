import { expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';

function manifest(field: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: web
          ${field}`;
}

it.each([
  {
    name: 'a misspelt field',
    field: 'imagePulPolicy: Always',
    told: 'imagePulPolicy: Kubernetes has no such field (did you mean imagePullPolicy?)',
  },
  {
    name: 'a misspelt field that the engine does not honour either',
    field: 'resizePolcy: []',
    told: 'resizePolcy: Kubernetes has no such field (did you mean resizePolicy?)',
  },
  {
    name: 'a field that has no meaning here',
    field: 'resizePolicy: []',
    told: 'resizePolicy: has no meaning on the docker engine: resources change by a new pod, which the rollout makes without an interruption',
  },
  {
    name: 'a free key that the engine does not honour',
    field: 'resources: { limits: { nvidia.com/gpu: 1 } }',
    told: 'resources.limits["nvidia.com/gpu"]: has no meaning on the docker engine: devices are handed out by drivers that run inside Kubernetes',
  },
  {
    name: 'what limits a disk',
    field: 'resources: { requests: { ephemeral-storage: 1Gi } }',
    told: 'resources.requests.ephemeral-storage: has no meaning on the docker engine: Docker limits no disk of a container: say sizeLimit of an emptyDir',
  },
])('tells $name', ({ field, told }) => {
  const problems = acceptResources(parseManifests([{ path: 'f.yaml', text: manifest(field) }]));
  expect(problems.map(formatProblem).map((line) => line.replace(/^\S+ /, ''))).toEqual([
    `spec.template.spec.containers[0].${told}`,
  ]);
});

it('lists what Kubernetes has where nothing is near', () => {
  const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ncontents: {}\n';
  const [problem] = acceptResources(parseManifests([{ path: 'f.yaml', text }]));
  expect(problem?.message).toBe('Kubernetes has no such field');
  expect(problem?.hint).toBe('its fields: apiVersion, kind, metadata, data, binaryData, immutable');
});

it('takes what `kubectl create --dry-run` writes', () => {
  const text = `${manifest('resources: {}')}
status: {}
`
    .replace('name: web }', 'name: web, creationTimestamp: null }')
    .replace('selector', 'strategy: {}\n  selector');
  expect(acceptResources(parseManifests([{ path: 'f.yaml', text }]))).toEqual([]);
});
