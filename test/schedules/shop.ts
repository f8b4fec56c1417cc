import { parseDeclarations } from '#core/declarations/parse.ts';

/** The one pipeline, on the one cluster, of every schedule. */
export const PIPELINE = 'shop';
export const CLUSTER = 'here';

export const { declarations } = parseDeclarations([
  {
    path: 'all.yaml',
    text: `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: ${CLUSTER} }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: ${PIPELINE} }
spec: { images: [{ name: web }], deploy: [{ cluster: ${CLUSTER}, manifests: deploy }] }
`,
  },
]);

export const pipeline = declared(declarations.pipelines[PIPELINE]);
export const cluster = declared(declarations.clusters[CLUSTER]);

function declared<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not declared');
  return value;
}
