import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { insideOf } from '#adapters/docker/build-context.ts';
import { InvalidFiles, UserError } from '#core/errors.ts';
import { DEPENDENCY_FILES, foldersDependedOn } from '#core/sources/helm.ts';
import { parseYamlDocuments } from '#core/yaml-source.ts';

const MOST_FILES = 20_000;

export interface ChartFile {
  /** Absolute, by the folders and links that lead Helm to it. */
  path: string;
  /** Where it is. */
  real: string;
}

/**
 * What Helm reads of a chart, which is all that links lead to as well; `withDependencies` also of the charts beside it
 * that it depends on. All of it is in the repository.
 *
 * @throws UserError `invalid-input` that names the link or the dependency which is not
 */
export async function chartFiles(
  checkout: string,
  chart: string,
  withDependencies: boolean,
): Promise<ChartFile[]> {
  const found = new Map<string, ChartFile>();
  const charts = new Set<string>();
  let count = 0;

  function add(file: ChartFile): void {
    count += 1;
    if (count > MOST_FILES)
      throw new UserError(
        'invalid-input',
        `the chart ${relative(checkout, chart)} has more than ${MOST_FILES} files`,
      );
    found.set(file.path, file);
  }

  async function walk(path: string, real: string, above: readonly string[]): Promise<void> {
    if (above.includes(real))
      throw new UserError(
        'invalid-input',
        `the link ${relative(checkout, path)} leads to a folder that it is in`,
      );
    for (const each of await readdir(real, { withFileTypes: true })) {
      const place = join(real, each.name);
      const target = each.isSymbolicLink() ? await insideOf(checkout, place, 'the link') : place;
      await visit(join(path, each.name), target, [...above, real]);
    }
  }

  async function visit(path: string, real: string, above: readonly string[]): Promise<void> {
    const stats = await lstat(real);
    if (!stats.isDirectory()) return add({ path, real });
    return walk(path, real, above);
  }

  async function take(path: string, what: string): Promise<void> {
    if (charts.has(path)) return;
    charts.add(path);
    await visit(path, await insideOf(checkout, path, what), []);
    if (!withDependencies) return;
    for (const file of DEPENDENCY_FILES) {
      const described = found.get(join(path, file));
      if (described === undefined) continue;
      const name = relative(checkout, described.path);
      for (const folder of await dependenciesIn(name, described.real))
        await take(resolve(path, folder), `${name}: the dependency`);
    }
  }

  await take(chart, 'the chart');
  return [...found.values()];
}

async function dependenciesIn(name: string, file: string): Promise<string[]> {
  const { documents, problems } = parseYamlDocuments(name, await readFile(file, 'utf8'));
  if (problems.length > 0) throw new InvalidFiles(problems);
  return documents.flatMap(({ value }) => foldersDependedOn(value));
}
