import type { Image } from '#core/declarations/pipeline.ts';
import type { Run } from '#core/run/run.ts';
import type { BuildSettings } from './context.ts';

/** Where an image is pushed: what the pipeline says, else the configured registry, pipeline and name. */
export function repositoryOf(
  run: Pick<Run, 'pipeline'>,
  image: Pick<Image, 'name' | 'repository'>,
  { registry }: Pick<BuildSettings, 'registry'>,
): string {
  return image.repository ?? `${registry}/${run.pipeline}/${image.name}`;
}
