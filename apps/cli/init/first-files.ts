import { stringify } from 'yaml';
import type { SourceFile } from '#core/declarations/read.ts';

export interface FirstImage {
  name: string;
  context: string;
  port: number;
  testStage?: string;
}

export interface FirstFiles {
  pipeline: string;
  branch: string;
  images: readonly FirstImage[];
}

/** A pipeline and manifests to begin with: each image as a Deployment with a Service that the host can reach. */
export function planFirstFiles(first: FirstFiles): SourceFile[] {
  return [
    { path: `pipelines/${first.pipeline}.yaml`, text: pipelineText(first) },
    ...first.images.flatMap((image) => [
      { path: `deploy/${image.name}-deployment.yaml`, text: deploymentText(image) },
      { path: `deploy/${image.name}-service.yaml`, text: serviceText(first.pipeline, image) },
    ]),
  ];
}

const FIRST_NODE_PORT = 30_000;
const NODE_PORTS = 2_768;

/** Always the same for a name, and seldom that of another one. */
export function nodePortOf(pipeline: string, image: string): number {
  const hash = Array.from(`${pipeline}/${image}`).reduce(
    (sum, character) => (sum * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003,
    7,
  );
  return FIRST_NODE_PORT + (hash % NODE_PORTS);
}

function pipelineText({ pipeline, branch, images }: FirstFiles): string {
  return `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: ${scalar(pipeline)} }
spec:
  source: { branches: [${scalar(branch)}] }
  images:
${images.map(imageText).join('')}  deploy:
    - cluster: local
      manifests: deploy/
`;
}

function imageText({ name, context, testStage }: FirstImage): string {
  const test =
    testStage === undefined
      ? '      # test: check        # a stage of the Dockerfile whose RUN lines are the tests\n'
      : `      test: ${scalar(testStage)}\n`;
  return `    - name: ${scalar(name)}            # manifests say \`image: ${name}\`
      context: ${scalar(context)}
${test}`;
}

function deploymentText({ name, port }: FirstImage): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${scalar(name)} }
spec:
  replicas: 2
  selector: { matchLabels: { app: ${scalar(name)} } }
  template:
    metadata: { labels: { app: ${scalar(name)} } }
    spec:
      containers:
        - name: ${scalar(name)}
          image: ${scalar(name)}
          ports: [{ containerPort: ${port} }]
          readinessProbe:
            tcpSocket: { port: ${port} }
            periodSeconds: 2
`;
}

function serviceText(pipeline: string, { name, port }: FirstImage): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${scalar(name)} }
spec:
  type: NodePort
  selector: { app: ${scalar(name)} }
  ports: [{ port: 80, targetPort: ${port}, nodePort: ${nodePortOf(pipeline, name)} }]
`;
}

/** Quoted where YAML would read something else than text. */
function scalar(text: string): string {
  return stringify(text).trimEnd();
}
