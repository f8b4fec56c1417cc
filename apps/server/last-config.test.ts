import { expect, it } from 'vitest';
import { parseDeclarations } from '#core/declarations/parse.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import { lastConfig } from './last-config.ts';

const { pipelines, clusters } = parseDeclarations([
  {
    path: 'all.yaml',
    text: `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: one }
spec: { images: [{ name: web }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: two }
spec: { images: [{ name: web }] }
---
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`,
  },
]).declarations;
const one = pipelines['one'] as Pipeline;
const two = pipelines['two'] as Pipeline;

/** As it comes back out of Redis. */
function recorded<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

it('is what was recorded, without what repositories carry themselves', () => {
  const last = lastConfig(recorded({ pipelines, clusters }), { two });
  expect(last).toEqual({ pipelines: { one }, clusters });
});

it('is what was recorded where a repository carries another one of that name', () => {
  const carried = { ...two, spec: { ...two.spec, images: [] } };
  const last = lastConfig(recorded({ pipelines, clusters }), { two: carried });
  expect(last).toEqual({ pipelines, clusters });
});

it('has the defaults of what an earlier version did not record', () => {
  const { notify, ...earlier } = one.spec;
  const before = { one: { ...one, spec: earlier as Pipeline['spec'] } };
  expect(notify).toEqual([]);
  expect(lastConfig(recorded({ pipelines: before, clusters }), {})?.pipelines).toEqual({ one });
});

it('keeps what is not valid any more as it was', () => {
  const strange = { ...one, spec: { ...one.spec, more: true } };
  const before = recorded({ pipelines: { one: strange }, clusters });
  expect(lastConfig(before, {})).toEqual(before);
});

it('is not known where nothing is recorded but what repositories carry', () => {
  expect(lastConfig({ pipelines: {}, clusters: {} }, {})).toBeUndefined();
  expect(lastConfig(recorded({ pipelines: { two }, clusters: {} }), { two })).toBeUndefined();
});
