import { renderSource } from '#adapters/render/render-source.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import { manifestSource } from '#core/sources/manifest-source.ts';
import type { Deploy } from '#core/declarations/pipeline.ts';
import type { CliContext } from './context.ts';
import { readManifestFiles } from './read-folder.ts';

/** The manifests of a deploy entry as they are in `folder` now, rendered with the programs of this machine. */
export async function readSource(
  folder: string,
  pipeline: string,
  deploy: Deploy,
  { machine, signal, note }: Pick<CliContext, 'machine' | 'signal' | 'note'>,
): Promise<SourceFile[]> {
  const source = manifestSource(deploy);
  if (source.kind === 'plain') return readManifestFiles(folder, withoutDot(source.path));
  const place = { checkout: folder, pipeline, path: machine['PATH'] ?? '' };
  const { files, notes } = await renderSource(source, place, signal);
  for (const line of notes) note(line);
  return files;
}

/** `deploy/a` of `./deploy/a`, so that a file has one name. */
export function withoutDot(path: string): string {
  return path.replace(/^(\.\/+)+(?=.)/, '');
}
