import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineName } from '#core/accept.ts';
import type { Declarations } from '#core/declarations/declarations.ts';
import { parseDeclarations } from '#core/declarations/parse.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import { UserError } from '#core/errors.ts';
import type { Problem } from '#core/errors.ts';
import { manifestSource } from '#core/sources/manifest-source.ts';
import type { SourceMeaning } from '#core/sources/parse-source.ts';
import { checkManifests } from './check-manifests.ts';
import type { CliContext } from './context.ts';
import { readManifestFiles } from './read-folder.ts';
import { readSource, withoutDot } from './read-source.ts';

/** By what manifests are checked of which it is not said where they run. */
const UNSAID = 'docker';

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
export async function checkFiles(
  context: Pick<CliContext, 'cwd' | 'machine' | 'signal' | 'note'>,
  paths: readonly string[],
): Promise<CheckedFiles> {
  const { cwd } = context;
  const given = uniqueFiles(
    await readAll(cwd, paths.map(withoutDot).concat(paths.length === 0 ? ['pipelines'] : [])),
  );
  const declared = given.filter(isDeclaration);
  const complete = declared.some(({ text }) => /^kind:\s*['"]?Cluster/m.test(text));
  const { declarations, problems } = parseDeclarations(declared, complete ? 'declared' : 'unknown');
  const entries = await readEntries(context, declarations);
  const rest = given.filter((file) => !isDeclaration(file) && !entries.paths.has(file.path));
  return {
    files: uniqueFiles([...given, ...entries.groups.flatMap((group) => group.files)]).map(
      ({ path }) => path,
    ),
    problems: [
      ...problems,
      ...entries.groups.flatMap(({ files, engine, meaning }) =>
        checkManifests(files, engine, meaning),
      ),
      ...checkManifests(rest, UNSAID),
    ],
    notes: [
      ...(complete || declared.length === 0
        ? []
        : [
            `no Cluster is declared here: names of clusters are checked by the server, and manifests as for engine ${UNSAID}`,
          ]),
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
  groups: { files: SourceFile[]; engine: EngineName; meaning: SourceMeaning }[];
  paths: Set<string>;
  notes: string[];
}

async function readEntries(
  context: Pick<CliContext, 'cwd' | 'machine' | 'signal' | 'note'>,
  { pipelines, clusters }: Declarations,
): Promise<Entries> {
  const entries: Entries = { groups: [], paths: new Set(), notes: [] };
  for (const { metadata, spec } of Object.values(pipelines)) {
    const images = spec.images.map(({ name }) => name);
    for (const deploy of spec.deploy) {
      const { path, kind } = manifestSource(deploy);
      const there = await stat(join(context.cwd, path)).catch(() => undefined);
      if (spec.source.url !== undefined || there === undefined) {
        entries.notes.push(`${path} of pipeline ${metadata.name} is elsewhere: not checked`);
        continue;
      }
      const files = await readOrNot(() => readSource(context.cwd, metadata.name, deploy, context));
      if ('missing' in files) {
        entries.notes.push(`${path} is not checked: ${files.missing}`);
        continue;
      }
      const engine = clusters[deploy.cluster]?.spec.engine ?? UNSAID;
      const meaning = { images, namespace: deploy.helm?.namespace };
      entries.groups.push({ files: files.read, engine, meaning });
      if (kind !== 'plain') continue;
      for (const file of files.read) entries.paths.add(file.path);
    }
  }
  return entries;
}

async function readAll(cwd: string, paths: readonly string[]): Promise<SourceFile[]> {
  const read = await Promise.all(paths.map((path) => readManifestFiles(cwd, path)));
  return read.flat();
}

/** A program that is missing here is no mistake of the files. */
async function readOrNot(
  read: () => Promise<SourceFile[]>,
): Promise<{ read: SourceFile[] } | { missing: string }> {
  try {
    return { read: await read() };
  } catch (error) {
    if (error instanceof UserError && error.code === 'missing-tool')
      return { missing: error.message };
    throw error;
  }
}

function uniqueFiles(files: readonly SourceFile[]): SourceFile[] {
  return [...new Map(files.map((file) => [file.path, file])).values()];
}
