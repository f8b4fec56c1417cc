import type { BuildRequest } from '#adapters/docker/build.ts';
import { readContext } from '#adapters/docker/build-context.ts';
import type { Image } from '#core/declarations/pipeline.ts';
import type { Run } from '#core/run/run.ts';
import type { BuildContext, Source } from './context.ts';
import { IMAGE_LABELS } from './image-labels.ts';
import { repositoryOf } from './repository.ts';
import type { DoStep } from './steps.ts';

/** Tests, builds and pushes the pipeline's images, one after the other; answers their references by name. */
export async function buildImages(
  run: Run,
  source: Source,
  context: BuildContext,
  doStep: DoStep,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const references: Record<string, string> = {};
  for (const image of run.spec.images) {
    if (image.test !== undefined) await testStep(run, image, source, context, doStep, signal);
    await buildStep(run, image, source, context, doStep, signal);
    references[image.name] = await pushStep(run, image, source, context, doStep, signal);
  }
  return references;
}

function testStep(
  run: Run,
  image: Image,
  source: Source,
  context: BuildContext,
  doStep: DoStep,
  signal: AbortSignal,
): Promise<void> {
  return doStep(`test ${image.name}`, async (onLine) => {
    const request = await requestFor(run, image, source, context);
    const test: BuildRequest = { ...request, purpose: 'test', target: image.test ?? '' };
    return cachedOrNot(await context.engine.build(test, onLine, signal));
  });
}

function buildStep(
  run: Run,
  image: Image,
  source: Source,
  context: BuildContext,
  doStep: DoStep,
  signal: AbortSignal,
): Promise<void> {
  return doStep(`build ${image.name}`, async (onLine) => {
    const request = await requestFor(run, image, source, context);
    return cachedOrNot(await context.engine.build(request, onLine, signal));
  });
}

function pushStep(
  run: Run,
  image: Image,
  source: Source,
  { engine, gate, settings, runs, now }: BuildContext,
  doStep: DoStep,
  signal: AbortSignal,
): Promise<string> {
  return doStep(`push ${image.name}`, async (onLine) => {
    const repository = repositoryOf(run, image, settings);
    async function push(): Promise<{ value: string; detail: string }> {
      const digest = await engine.push({ repository, tag: source.commit }, onLine, signal);
      const reference = `${repository}@${digest}`;
      onLine(reference);
      // Within the gate: the next collection finds the run naming it.
      await runs.apply(run.id, { kind: 'image', image: image.name, reference, at: now() });
      return { value: reference, detail: digest };
    }
    return gate.push(push, () => onLine('waiting: the registry is being cleaned up'), signal);
  });
}

async function requestFor(
  run: Run,
  image: Image,
  source: Source,
  { settings, history }: BuildContext,
): Promise<BuildRequest> {
  return {
    what: `image ${image.name}`,
    purpose: 'image',
    context: await readContext({ ...image, checkout: source.checkout }),
    contextKey: `${settings.installation}/${run.pipeline}/${image.name}`,
    times: await history.timesOf(source),
    tag: `${repositoryOf(run, image, settings)}:${source.commit}`,
    ...(image.target === undefined ? {} : { target: image.target }),
    args: image.args,
    labels: {
      [IMAGE_LABELS.installation]: settings.installation,
      [IMAGE_LABELS.pipeline]: run.pipeline,
      [IMAGE_LABELS.image]: image.name,
    },
  };
}

function cachedOrNot({ cached }: { cached: boolean }): { value: undefined; detail?: string } {
  return { value: undefined, ...(cached ? { detail: 'cached' } : {}) };
}
