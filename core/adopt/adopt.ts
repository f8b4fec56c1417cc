import { stringify } from 'yaml';
import type { SourceFile } from '#core/declarations/read.ts';
import { UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import { adoptedPod } from './adopted-pod.ts';
import { adoptedServices } from './adopted-services.ts';
import type { RunningContainer } from './running-container.ts';

/** One workload that takes the place of containers. */
export interface Adopted {
  name: string;
  /** Names of the containers that it takes the place of. */
  containers: readonly string[];
  file: SourceFile;
  /** What runs otherwise than it did, or not at all: sentences. */
  differences: readonly string[];
  /** What to do so that it takes over: sentences, in order. */
  takingOver: readonly string[];
}

export interface AdoptOptions {
  /** Folder of the manifests, without a slash at its end. */
  folder: string;
  /** Absent for the default one. */
  namespace?: string;
}

/**
 * Manifests for containers that somebody else made. Containers of one service of Docker Compose that are alike are
 * replicas of one Deployment.
 *
 * @throws UserError `invalid-input` for a container that does not run, or that lives in another's network
 */
export function adopt(
  containers: readonly RunningContainer[],
  { folder, namespace }: AdoptOptions,
): Adopted[] {
  for (const each of containers) refuse(each);
  const names = new Set<string>();
  return groups(containers).map((group) => {
    const [model] = group;
    const name = uniqueName(model.compose?.service ?? model.name, names);
    return adoptGroup(name, group, folder, namespace);
  });
}

type Group = readonly [RunningContainer, ...RunningContainer[]];

function groups(containers: readonly RunningContainer[]): Group[] {
  const byKey = Map.groupBy(containers, (each) =>
    each.compose === undefined ? each.id : contentHash(likeness(each)),
  );
  return [...byKey.values()] as unknown as Group[];
}

/** What replicas of one service have alike: all but their names and the ports of the host. */
function likeness({ id: _id, name: _name, ports, ...others }: RunningContainer): object {
  return {
    ...others,
    ports: ports.map(({ host: _host, ...port }) => port),
  };
}

/** As the first is, with the ports of all. */
function modelOf(group: Group): RunningContainer {
  const [first] = group;
  return { ...first, ports: group.flatMap(({ ports }) => ports) };
}

/** One that differs from the others of its service is a workload of its own, which their name does not lead to. */
function apartNotes(name: string, { compose }: RunningContainer): string[] {
  if (compose === undefined || !/-\d+$/.test(name) || !name.startsWith(cleanName(compose.service)))
    return [];
  return [
    `It differs from other containers of the service ${compose.service} (mounts, environment or limits), and is reached as ${name}.`,
  ];
}

function adoptGroup(
  name: string,
  group: Group,
  folder: string,
  namespace: string | undefined,
): Adopted {
  const model = modelOf(group);
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const pod = adoptedPod(name, model);
  const { services, hostPorts, notes } = adoptedServices(name, model);
  const isAlone = pod.writes.length > 0;
  // The old and the new would write the same files at the same time.
  const replicas = isAlone ? 0 : group.length;
  const strategy = isAlone || hostPorts.length > 0 ? { strategy: { type: 'Recreate' } } : {};
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas,
      ...strategy,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: withHostPorts(pod.spec, hostPorts),
      },
    },
  };
  const secret =
    Object.keys(pod.secret).length === 0
      ? []
      : [{ apiVersion: 'v1', kind: 'Secret', metadata, stringData: pod.secret }];
  const differences = [...apartNotes(name, model), ...pod.notes, ...notes, ...restartNotes(model)];
  const old = group.map((each) => each.name);
  const takingOver = steps(name, old, pod.writes, group.length, model);
  const documents = [
    ...secret,
    deployment,
    ...services.map((each) => withMetadata(each, metadata)),
  ];
  const text = [
    comment([`Takes the place of ${list(old)}.`, ...differences, ...takingOver]),
    documents.map((each) => stringify(each, { lineWidth: 0 })).join('---\n'),
  ].join('');
  return {
    name,
    containers: old,
    file: { path: `${folder}/${name}.yaml`, text },
    differences,
    takingOver,
  };
}

function withMetadata(
  service: ReturnType<typeof adoptedServices>['services'][number],
  { namespace }: { namespace?: string },
): object {
  const { name, spec, waits = false } = service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(waits ? { annotations: { 'windlass.dev/port-in-use': 'wait' } } : {}),
    },
    spec,
  };
}

function withHostPorts(
  spec: ReturnType<typeof adoptedPod>['spec'],
  hostPorts: readonly object[],
): object {
  if (hostPorts.length === 0) return spec;
  const [container] = spec.containers;
  return { ...spec, containers: [{ ...container, ports: hostPorts }] };
}

function steps(
  name: string,
  old: readonly string[],
  writes: readonly string[],
  count: number,
  { ports }: RunningContainer,
): string[] {
  const stop = `\`docker stop ${old.join(' ')}\``;
  if (writes.length > 0)
    return [
      `It has no replicas yet, since two at a time would write ${list(writes)}: ${stop}, then set replicas to ${count} and push.`,
    ];
  const published = ports.flatMap(({ host }) => host ?? []);
  const then =
    published.length === 0
      ? ''
      : `: until then ${published.length === 1 ? 'port' : 'ports'} ${list(published.map(String))} of the host stay with what runs now`;
  return [`Once Deployment ${name} serves, ${stop}${then}.`];
}

function restartNotes({ restart, name }: RunningContainer): string[] {
  if (restart === 'always' || restart === 'unless-stopped') return [];
  return [
    `${name} has the restart policy ${restart === '' ? 'no' : restart}: a Deployment starts it again whenever it ends.`,
  ];
}

function refuse({ name, state, network }: RunningContainer): void {
  if (state !== 'running')
    throw new UserError('invalid-input', `the container ${name} does not run (${state})`, {
      hint: 'start it, or leave it out: what runs is adopted',
    });
  if (network.startsWith('container:'))
    throw new UserError('invalid-input', `the container ${name} lives in another one's network`, {
      hint: 'write a Pod of both by hand: they are containers of one pod',
    });
}

function comment(lines: readonly string[]): string {
  // What others call their things may have lines of its own.
  return lines
    .flatMap((line) => line.split(/[\r\n\u0085\u2028\u2029]+/))
    .map((line) => `# ${line}\n`)
    .join('');
}

function list(words: readonly string[]): string {
  return words.join(', ');
}

/** As Kubernetes names things: at most 63 small letters, digits and hyphens. */
function uniqueName(wanted: string, taken: Set<string>): string {
  const base = cleanName(wanted);
  let name = base;
  for (let nth = 2; taken.has(name); nth += 1) name = `${base}-${nth}`;
  taken.add(name);
  return name;
}

function cleanName(wanted: string): string {
  const clean = wanted
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, 60)
    .replaceAll(/^-+|-+$/g, '');
  return /^[a-z]/.test(clean) ? clean : `app-${clean}`.replace(/-$/, '');
}
