import { copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { findOnPath } from '#adapters/debian/find-on-path.ts';
import { insideOf } from '#adapters/docker/build-context.ts';
import type { Helm, Kustomize } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import { helmArguments } from '#core/sources/helm.ts';
import type { ManifestSource } from '#core/sources/manifest-source.ts';
import { helmFiles, kustomizeFiles } from '#core/sources/rendered-files.ts';
import type { RenderedFile } from '#core/sources/rendered-files.ts';
import { chartFiles } from './chart-files.ts';
import type { ChartFile } from './chart-files.ts';
import { checkKustomization } from './check-inside.ts';
import { runRenderer } from './run-renderer.ts';
import type { RenderLimits, RenderRequest } from './run-renderer.ts';

export interface RenderPlace {
  /** Top of the repository. */
  checkout: string;
  pipeline: string;
  /** Where programs are looked for, as in the environment. */
  path: string;
  limits?: RenderLimits;
}

export interface RenderedSource {
  files: RenderedFile[];
  /** What somebody should know. */
  notes: string[];
}

const UNBOUND =
  'no network of its own could be made for it (that needs root, or user namespaces): it was kept from others by its environment alone';

/**
 * What Kustomize or Helm, as the machine has them, make of a source in the repository.
 *
 * @throws UserError `missing-tool` where the program is not there; `invalid-input` with what it said
 */
export async function renderSource(
  source: Exclude<ManifestSource, { kind: 'plain' }>,
  place: RenderPlace,
  signal: AbortSignal,
): Promise<RenderedSource> {
  const checkout = await realpath(place.checkout);
  const home = await mkdtemp(join(tmpdir(), 'windlass-render-'));
  try {
    const at = { ...place, checkout, home };
    return source.kind === 'helm'
      ? await renderChart(source.helm, at, signal)
      : await renderKustomization(source.kustomize, at, signal);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

interface Place extends RenderPlace {
  home: string;
}

async function renderKustomization(
  { path: folder, network }: Kustomize,
  place: Place,
  signal: AbortSignal,
): Promise<RenderedSource> {
  const { checkout, path } = place;
  const real = await insideOf(checkout, resolve(checkout, folder), 'the kustomization');
  await checkKustomization(checkout, real, network);
  const own = await findOnPath('kustomize', path);
  const [command, verb] =
    own === undefined ? [await findOnPath('kubectl', path), 'kustomize'] : [own, 'build'];
  if (command === undefined)
    throw new UserError(
      'missing-tool',
      `neither kustomize nor kubectl is on this machine: ${folder} cannot be rendered`,
      { hint: 'install kustomize 5, or kubectl, where the build worker runs' },
    );
  const request = requestFor(place, `kustomize build ${folder}`, network);
  const rendered = await runRenderer({ ...request, command, args: [verb, real] }, signal);
  return {
    files: kustomizeFiles(folder, rendered.text),
    notes: notesOf(folder, network, rendered.isCutOff),
  };
}

async function renderChart(helm: Helm, place: Place, signal: AbortSignal): Promise<RenderedSource> {
  const { checkout, path, pipeline, home } = place;
  const there = await insideOf(checkout, resolve(checkout, helm.chart), 'the chart');
  const read = await chartFiles(checkout, there, helm.network);
  // What it depends on is written into the chart, and that is not ours.
  const chart = helm.network ? await copyChart(read, { checkout, chart: there, home }) : there;
  const values = [];
  for (const file of helm.valuesFiles)
    values.push(await insideOf(checkout, resolve(checkout, file), 'the values file'));
  if (Object.keys(helm.values).length > 0) {
    const inline = join(home, 'values.json');
    await writeFile(inline, JSON.stringify(helm.values));
    values.push(inline);
  }
  const command = await findOnPath('helm', path);
  if (command === undefined)
    throw new UserError(
      'missing-tool',
      `helm is not on this machine: ${helm.chart} cannot be rendered`,
      { hint: 'install Helm 3 or 4 where the build worker runs' },
    );
  const request = requestFor(place, `helm template ${helm.chart}`, helm.network);
  const args = helmArguments(helm, helm.release ?? pipeline, { chart, values });
  const rendered = await runRenderer({ ...request, command, args }, signal);
  return {
    files: helmFiles(rendered.text),
    notes: notesOf(helm.chart, helm.network, rendered.isCutOff),
  };
}

/** What Helm reads of it, in the same places below another folder; where the chart is then. */
async function copyChart(
  files: readonly ChartFile[],
  { checkout, chart, home }: { checkout: string; chart: string; home: string },
): Promise<string> {
  const top = join(home, 'chart');
  for (const { path, real } of files) {
    const place = join(top, relative(checkout, path));
    await mkdir(dirname(place), { recursive: true });
    await copyFile(real, place);
  }
  return join(top, relative(checkout, chart));
}

function requestFor(
  { checkout, home, path, limits }: Place,
  what: string,
  network: boolean,
): Omit<RenderRequest, 'command' | 'args'> {
  const bounds = limits === undefined ? {} : { limits };
  return { what, cwd: checkout, home, path, network, ...bounds };
}

function notesOf(what: string, network: boolean, isCutOff: boolean): string[] {
  return network || isCutOff ? [] : [`${what}: ${UNBOUND}`];
}
