import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { acceptResources } from '#core/docker/accepts.ts';
import { VARIABLES } from '#core/environment.ts';
import type { Program } from '#core/environment.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';

const FOLDER = join(import.meta.dirname, '../../../../packaging/kubernetes');
const KUSTOMIZATION = 'kustomization.yaml';
const { resources: files, images } = parse(read(KUSTOMIZATION)) as {
  resources: string[];
  images: { name: string }[];
};
const parsed = parseManifests(files.map((path) => ({ path, text: read(path) })));
const PODS = ['Deployment', 'StatefulSet'];
/** What Windlass itself runs as there, and as which program it reads its variables. */
const PROGRAMS: Readonly<Record<string, Program>> = {
  'windlass-server': 'server',
  'windlass-deploy-worker': 'deploy worker',
  'windlass-build-worker': 'build worker',
};

interface Container {
  image: string;
  env?: { name: string }[];
  volumeMounts?: { name: string }[];
}
interface PodSpec {
  serviceAccountName?: string;
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string }[];
}

function read(path: string): string {
  return readFileSync(join(FOLDER, path), 'utf8');
}

function named(kind: string): string[] {
  return parsed.resources.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);
}

function podOf(resource: Resource): PodSpec {
  return (resource['spec'] as { template: { spec: PodSpec } }).template.spec;
}

function containersOf(resource: Resource): Container[] {
  const { containers, initContainers = [] } = podOf(resource);
  return [...containers, ...initContainers];
}

const workloads = parsed.resources.filter(({ kind }) => PODS.includes(kind));

describe('the manifests that run Windlass on Kubernetes', () => {
  it('are all named in the kustomization, and can be read', () => {
    expect(parsed.problems.map(formatProblem)).toEqual([]);
    const there = readdirSync(FOLDER).filter((name) => name !== KUSTOMIZATION);
    expect(files.toSorted()).toEqual(there.toSorted());
  });

  it('have no field that Kubernetes does not know', () => {
    const texts = files.map((path) => ({ path, text: read(path) }));
    const known = [...PODS, 'Service', 'Namespace'];
    const taken = parseManifests(texts);
    taken.resources = taken.resources.filter(({ kind }) => known.includes(kind));
    // By the docker engine, which refuses what it does not know, and these two besides.
    expect(acceptResources(taken).map(formatProblem)).toEqual([
      expect.stringContaining('serviceAccountName: has no meaning on the docker engine'),
      expect.stringContaining('there is no Secret windlass-worker-token'),
    ]);
  });

  it('are in one namespace, which is among them', () => {
    const places = parsed.resources.flatMap(({ metadata }) => metadata.namespace ?? []);
    expect([...new Set(places)]).toEqual(named('Namespace'));
  });

  it.each(workloads.map((each) => [each.metadata.name, each] as const))(
    '%s has what it refers to',
    (_, workload) => {
      const { serviceAccountName, volumes = [] } = podOf(workload);
      const accounts = serviceAccountName === undefined ? [] : [serviceAccountName];
      expect(named('ServiceAccount')).toEqual(expect.arrayContaining(accounts));
      const { volumeClaimTemplates = [], serviceName } = workload['spec'] as {
        volumeClaimTemplates?: { metadata: { name: string } }[];
        serviceName?: string;
      };
      const there = new Set([
        ...volumes.map(({ name }) => name),
        ...volumeClaimTemplates.map(({ metadata }) => metadata.name),
      ]);
      const mounted = containersOf(workload).flatMap(({ volumeMounts = [] }) => volumeMounts);
      expect(new Set(mounted.map(({ name }) => name))).toEqual(there);
      // The build worker serves nothing.
      const serving = [serviceName ?? []].flat().filter((name) => name !== 'windlass-build-worker');
      expect(named('Service')).toEqual(expect.arrayContaining(serving));
    },
  );

  it.each(Object.entries(PROGRAMS))('%s gets variables that it reads', (name, program) => {
    const workload = workloads.find(({ metadata }) => metadata.name === name);
    const own = (workload === undefined ? [] : containersOf(workload)).filter(
      ({ image }) => image === images[0]?.name,
    );
    expect(own).toHaveLength(1);
    const readBy = VARIABLES.filter(({ programs }) => programs.includes(program));
    const names = new Set([...readBy.map((each) => each.name), 'HOME']);
    expect(own[0]?.env?.filter((each) => !names.has(each.name))).toEqual([]);
  });
});
