import { entryName } from '#core/declarations/pipeline.ts';
import type { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { Run, RunStep, Trigger } from '#core/run/run.ts';

interface NewRun {
  id: string;
  pipeline: string;
  spec: PipelineSpec;
  trigger: Trigger;
  /** Milliseconds since the epoch. */
  at: number;
  attempt?: number;
  restores?: { entry: string; release: string };
}

/** A run as it is recorded, before anything was done. */
export function newRun({ id, pipeline, spec, trigger, at, attempt = 1, restores }: NewRun): Run {
  const entries =
    restores === undefined
      ? spec.deploy
      : spec.deploy.filter((deploy) => entryName(deploy) === restores.entry);
  return {
    id,
    pipeline,
    spec,
    trigger,
    branch: branchOf(trigger.ref),
    commit: trigger.after,
    state: 'queued',
    createdAt: at,
    steps: [...(restores === undefined ? buildSteps(spec) : []), ...entries.flatMap(deploySteps)],
    images: {},
    deploys: entries.map((deploy) => ({
      entry: entryName(deploy),
      cluster: deploy.cluster,
      state: 'pending',
    })),
    reason: '',
    attempt,
    cancelRequested: false,
    ...(restores === undefined ? {} : { restores }),
  };
}

/** `main` of `refs/heads/main`; the ref itself where it is not a branch. */
export function branchOf(ref: string): string {
  return ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : ref;
}

function buildSteps(spec: PipelineSpec): RunStep[] {
  const perImage = spec.images.flatMap((image) => [
    ...(image.test === undefined ? [] : [step(`test ${image.name}`)]),
    step(`build ${image.name}`),
    step(`push ${image.name}`),
  ]);
  return [step('clone'), ...perImage, step('render')];
}

function deploySteps(deploy: PipelineSpec['deploy'][number]): RunStep[] {
  return [step(`release ${entryName(deploy)}`), step(`deploy ${entryName(deploy)}`)];
}

function step(name: string): RunStep {
  return { name, state: 'pending' };
}
