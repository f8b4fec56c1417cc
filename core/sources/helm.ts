import type { Helm } from '#core/declarations/pipeline.ts';
import { HELM_HOOK, hookNote, hookRunsOf } from '#core/kubernetes/hook-annotations.ts';
import { isClusterScoped } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

/** Where on the machine the chart and the files of values are, in the order in which they count. */
export interface HelmPlaces {
  chart: string;
  values: readonly string[];
}

/** What `helm` is called with. Understood by Helm 3 and 4. */
export function helmArguments(
  { namespace, hooks, kubeVersion, apiVersions, network }: Helm,
  release: string,
  { chart, values }: HelmPlaces,
): string[] {
  return [
    'template',
    release,
    chart,
    `--namespace=${namespace}`,
    '--include-crds',
    '--skip-tests',
    ...(hooks ? [] : ['--no-hooks']),
    ...(network ? ['--dependency-update'] : []),
    ...(kubeVersion === undefined ? [] : [`--kube-version=${kubeVersion}`]),
    ...apiVersions.map((version) => `--api-versions=${version}`),
    ...values.map((file) => `--values=${oneOfList(file)}`),
  ];
}

/** Helm takes a list there, separated by commas as in CSV. */
function oneOfList(path: string): string {
  return /[",]/.test(path) ? `"${path.replaceAll('"', '""')}"` : path;
}

const LOCAL = 'file://';

/** The files of a chart that may say what it depends on: the second one in charts of `apiVersion: v1`. */
export const DEPENDENCY_FILES = ['Chart.yaml', 'requirements.yaml'];

/** The folders, from that of the chart, in which one of the `DEPENDENCY_FILES` says that dependencies are. */
export function foldersDependedOn(described: unknown): string[] {
  return valuesOf(described, 'dependencies')
    .flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []))
    .flatMap((each) => valuesOf(each, 'repository'))
    .filter((repository) => typeof repository === 'string')
    .filter((repository) => repository.startsWith(LOCAL))
    .map((repository) => repository.slice(LOCAL.length));
}

/** Helm does not mind how the name of a field is cased. */
function valuesOf(value: unknown, field: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value)
    .filter(([key]) => key.toLowerCase() === field)
    .map(([, each]) => each as unknown);
}

/** A hook for a deletion, a rollback or a test. */
export function isForNoTime(resource: Resource): boolean {
  return hookNote(resource) === HELM_HOOK && hookRunsOf(resource)?.length === 0;
}

/** As Helm installs it: what names no namespace goes to the release's. */
export function inNamespace(resource: Resource, namespace: string): Resource {
  const { metadata, kind } = resource;
  if (metadata.namespace !== undefined || isClusterScoped(kind)) return resource;
  return { ...resource, metadata: { ...metadata, namespace } };
}
