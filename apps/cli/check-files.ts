import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Declarations } from '#core/declarations/declarations.ts';
import { parseDeclarations } from '#core/declarations/parse.ts';
import type { SourceFile } from '#core/declarations/read.ts';
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
  const given = uniqueFiles(
    await readAll(cwd, paths.map(withoutDot).concat(paths.length === 0 ? ['pipelines'] : [])),
  );
  const declared = given.filter(isDeclaration);
  const complete = declared.some(({ text }) => /^kind:\s*['"]?Cluster/m.test(text));
  const { declarations, problems } = parseDeclarations(declared, complete ? 'declared' : 'unknown');
  const entries = await readEntries(cwd, declarations);
  const rest = given.filter((file) => !isDeclaration(file) && !entries.paths.has(file.path));
  return {
    files: uniqueFiles([...given, ...entries.groups.flat()]).map(({ path }) => path),
    problems: [...problems, ...[...entries.groups, rest].flatMap(checkManifests)],
    notes: [
      ...(complete || declared.length === 0
        ? []
        : ['no Cluster is declared here: names of clusters are checked by the server']),
      ...entries.notes,
    ],
  };
}

/** A file whose documents are ours, right or wrong; anything else is taken for Kubernetes manifests. */
function isDeclaration({ path, text }: SourceFile): boolean {
  return /^['"]?apiVersion['"]?:\s*['"]?windlass/m.test(text) || path.startsWith('pipelines/');
}

interface Entries {
  /** The manifests of each deploy entry, which must fit each other and no others. */
  groups: SourceFile[][];
  paths: Set<string>;
  notes: string[];
}

async function readEntries(cwd: string, { pipelines }: Declarations): Promise<Entries> {
  const entries: Entries = { groups: [], paths: new Set(), notes: [] };
  for (const { metadata, spec } of Object.values(pipelines)) {
    for (const { manifests } of spec.deploy) {
      const there = await stat(join(cwd, manifests)).catch(() => undefined);
      if (spec.source.url !== undefined || there === undefined) {
        entries.notes.push(`${manifests} of pipeline ${metadata.name} is elsewhere: not checked`);
        continue;
      }
      const files = await readManifestFiles(cwd, withoutDot(manifests));
      entries.groups.push(files);
      for (const { path } of files) entries.paths.add(path);
    }
  }
  return entries;
}

async function readAll(cwd: string, paths: readonly string[]): Promise<SourceFile[]> {
  const read = await Promise.all(paths.map((path) => readManifestFiles(cwd, path)));
  return read.flat();
}

/** `deploy/a` of `./deploy/a`, so that a file has one name. */
function withoutDot(path: string): string {
  return path.replace(/^(\.\/+)+(?=.)/, '');
}

function uniqueFiles(files: readonly SourceFile[]): SourceFile[] {
  return [...new Map(files.map((file) => [file.path, file])).values()];
}
