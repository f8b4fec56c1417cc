import type { ReleaseList } from '#core/api/release.ts';
import type { RunView } from '#core/api/run.ts';
import { createRepository } from './repository.ts';
import type { GitResult, Repository } from './repository.ts';
import type { Windlass } from './windlass.ts';

/** Serves `page`. */
const START = 'mkdir -p /www && cp /app/page /www/page && exec httpd -f -p 8080 -h /www\n';
const DOCKERFILE = 'FROM busybox:1.36\nCOPY start.sh page /app/\nCMD ["sh", "/app/start.sh"]\n';

interface Shape {
  /** Asked by the readiness probe. */
  probe?: string;
  replicas?: number;
}

/** A developer's repository of one small web server, and what became of what was pushed. */
export interface App {
  name: string;
  repository: Repository;
  /** Commits a page, and what else is to change. */
  change(page: string, files?: Record<string, string | undefined>): Promise<string>;
  push(...options: string[]): Promise<GitResult>;
  /** Commits, pushes and does not wait for the run that it answers. */
  pushAway(page: string, files?: Record<string, string | undefined>): Promise<RunView>;
  /** What the app answers on its port. */
  page(): Promise<string>;
  releases(): Promise<ReleaseList['releases']>;
  /** Releases that the run has made. */
  releasesOf(run: Pick<RunView, 'id'>): Promise<number>;
}

/** What a pipeline of that name declares. */
export function pipelineOf(name: string): string {
  return `
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: ${name} }
spec: { images: [{ name: web }], deploy: [{ cluster: here, manifests: deploy }] }`;
}

export async function createApp(windlass: Windlass, name: string, port: number): Promise<App> {
  const repository = await createRepository();
  await repository.commit({
    Dockerfile: DOCKERFILE,
    'start.sh': START,
    'deploy/web.yaml': manifests(name, port),
  });
  const url = windlass.url.replace('//', `//dev:${windlass.token}@`);
  await repository.git('remote', 'add', 'windlass', `${url}/git/${name}.git`);

  function push(...options: string[]): Promise<GitResult> {
    return repository.git('push', ...options, 'windlass', 'main');
  }

  function change(page: string, files: Record<string, string | undefined> = {}): Promise<string> {
    return repository.commit({ page: `${page}\n`, ...files });
  }

  async function releases(): Promise<ReleaseList['releases']> {
    return (await windlass.get<ReleaseList>(`/api/v1/releases/${name}/here`)).releases;
  }

  return {
    name,
    repository,
    change,
    push,
    async pushAway(page, files) {
      const commit = await change(page, files);
      const { code, output } = await push('-o', 'nowait');
      if (code !== 0) throw new Error(output);
      const run = await windlass.lastRun(name);
      if (run.commit !== commit) throw new Error(`the run of ${name} is of ${run.commit}`);
      return run;
    },
    async page() {
      const response = await fetch(`http://127.0.0.1:${port}/page`, {
        signal: AbortSignal.timeout(3_000),
        headers: { connection: 'close' },
      });
      return (await response.text()).trim();
    },
    releases,
    releasesOf: async ({ id }) => (await releases()).filter(({ runId }) => runId === id).length,
  };
}

export function manifests(name: string, port: number, shape: Shape = {}): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${shape.replicas ?? 1}
  progressDeadlineSeconds: 60
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: ${name}
          image: web
          readinessProbe: { httpGet: { path: ${shape.probe ?? '/page'}, port: 8080 }, periodSeconds: 1 }
          volumeMounts: [{ name: words, mountPath: /words }]
      volumes: [{ name: words, secret: { secretName: ${name} } }]
---
apiVersion: v1
kind: Secret
metadata: { name: ${name} }
stringData: { word: swordfish }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { type: NodePort, selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080, nodePort: ${port} }] }
`;
}
