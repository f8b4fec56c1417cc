import type { Container } from '#core/docker/kinds.ts';
import type { Workload } from '#core/docker/workload.ts';

const INDEX = 'batch.kubernetes.io/job-completion-index';
const VARIABLE = 'JOB_COMPLETION_INDEX';

/** What the pod of an indexed Job is made from: it knows its index by its hostname, an annotation, a label and a variable. */
export function indexed(workload: Workload, index: number): Workload {
  const { template } = workload.spec;
  const { metadata, spec } = template;
  const own = { [INDEX]: String(index) };
  const hostname = spec.hostname ?? `${workload.metadata.name}-${index}`;
  return {
    ...workload,
    spec: {
      ...workload.spec,
      template: {
        metadata: {
          labels: { ...metadata.labels, ...own },
          annotations: { ...metadata.annotations, ...own },
        },
        spec: {
          ...spec,
          hostname,
          containers: spec.containers.map((each) => withIndex(each, index)),
          ...(spec.initContainers === undefined
            ? {}
            : { initContainers: spec.initContainers.map((each) => withIndex(each, index)) }),
        },
      },
    },
  };
}

function withIndex<Each extends Container>(container: Each, index: number): Each {
  if (container.env.some(({ name }) => name === VARIABLE)) return container;
  return { ...container, env: [...container.env, { name: VARIABLE, value: String(index) }] };
}
