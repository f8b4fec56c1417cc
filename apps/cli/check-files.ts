import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDeclarations } from '#core/declarations/parse.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import type { Declarations } from '#core/declarations/declarations.ts';
import type { Problem } from '#core/errors.ts';
import { checkManifests } from './check-manifests.ts';
import { readManifestFiles } from './read-folder.ts';

export interface CheckedFiles {
  files: string[];
  problems: Problem[];
  /** What was left unchecked, and why. */
  notes: string[];
}

/**
 * Declarations and manifests at the paths; without paths those in `pipelines/` and the manifests that they name. Needs
 * no server.
 */
export async function checkFiles(cwd: string, paths: readonly string[]): Promise<CheckedFiles> {
  const given = await Promise.all(
    (paths.length === 0 ? ['pipelines'] : paths).map((path) => readManifestFiles(cwd, path)),
  );
  const files = uniqueFiles(given.flat());
  const declared = files.filter(isDeclaration);
  const complete = declared.some(({ text }) => /^kind:\s*['"]?Cluster/m.test(text));
  const { declarations, problems } = parseDeclarations(declared, complete ? 'declared' : 'unknown');
  const named =
    paths.length === 0 ? await namedManifests(cwd, declarations) : { files: [], notes: [] };
  const manifests = uniqueFiles([...files.filter((file) => !isDeclaration(file)), ...named.files]);
  return {
    files: uniqueFiles([...files, ...manifests]).map(({ path }) => path),
    problems: [...problems, ...checkManifests(manifests)],
    notes: [
      ...(complete || declared.length === 0
        ? []
        : ['no Cluster is declared here: names of clusters are checked by the server']),
      ...named.notes,
    ],
  };
}

/** A file whose documents are ours, right or wrong; anything else is taken for Kubernetes manifests. */
function isDeclaration({ path, text }: SourceFile): boolean {
  return /^['"]?apiVersion['"]?:\s*['"]?windlass/m.test(text) || path.startsWith('pipelines/');
}

async function namedManifests(
  cwd: string,
  { pipelines }: Declarations,
): Promise<{ files: SourceFile[]; notes: string[] }> {
  const files: SourceFile[] = [];
  const notes: string[] = [];
  for (const { metadata, spec } of Object.values(pipelines)) {
    for (const { manifests } of spec.deploy) {
      const there = await stat(join(cwd, manifests)).catch(() => undefined);
      if (spec.source.url === undefined && there !== undefined) {
        files.push(...(await readManifestFiles(cwd, manifests)));
      } else {
        notes.push(`${manifests} of pipeline ${metadata.name} is elsewhere: not checked`);
      }
    }
  }
  return { files, notes };
}

function uniqueFiles(files: readonly SourceFile[]): SourceFile[] {
  return [...new Map(files.map((file) => [file.path, file])).values()];
}
