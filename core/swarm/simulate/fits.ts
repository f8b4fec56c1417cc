import { TAKES_APPLICATIONS } from '#core/swarm/placement.ts';
import type { Amounts, FleetNode, FleetService, Platform } from './fleet.ts';

/** What is left on a node, and what it runs. */
export interface Room {
  free: Amounts;
  /** `tcp/80` of tasks that are there. */
  ports: ReadonlySet<string>;
  /** Tasks of the service in question that are to run there. */
  ofService: number;
}

const CONSTRAINT = /^\s*(?<key>[^=!\s]+)\s*(?<sign>==|!=)\s*(?<value>.*?)\s*$/;
const LABELS = 'node.labels.';
const ENGINE_LABELS = 'engine.labels.';
const MIB = 1_048_576;
const NANO = 1_000_000_000;

/** Why a task of the service cannot be put there; absent where it can. These are the scheduler's filters, in its order. */
export function whyNotOn(node: FleetNode, service: FleetService, room: Room): string | undefined {
  return (
    whyNotTaking(node) ??
    whyNoRoom(service.reserves, room.free) ??
    unmet(node, service.constraints) ??
    whyNotForImage(node.platform, service.platforms) ??
    takenPort(service.hostPorts, room.ports) ??
    (service.mostPerNode > 0 && room.ofService >= service.mostPerNode
      ? `it may have ${service.mostPerNode} of it and has`
      : undefined)
  );
}

/** Of new tasks; absent where it does. */
export function whyNotTaking({ state, availability }: FleetNode): string | undefined {
  if (state !== 'ready') return `it is ${state}`;
  return availability === 'active' ? undefined : `it takes nothing new: ${availability}`;
}

function whyNoRoom(wanted: Amounts, free: Amounts): string | undefined {
  if (wanted.nanoCpus > free.nanoCpus)
    return `${cores(free.nanoCpus)} of a CPU are free and ${cores(wanted.nanoCpus)} wanted`;
  if (wanted.memoryBytes > free.memoryBytes)
    return `${mebibytes(free.memoryBytes)} MiB of memory are free and ${mebibytes(wanted.memoryBytes)} wanted`;
  return undefined;
}

function unmet(node: FleetNode, constraints: readonly string[]): string | undefined {
  const found = constraints.find((constraint) => !meets(node, constraint));
  if (found === TAKES_APPLICATIONS) return 'it takes no applications';
  return found === undefined ? undefined : `it is not ${found}`;
}

/** Values are compared whatever their case; a label that is not there is empty. */
export function meets(node: FleetNode, constraint: string): boolean {
  const { key, sign, value = '' } = CONSTRAINT.exec(constraint)?.groups ?? {};
  const actual = key === undefined ? undefined : attributeOf(node, key);
  if (actual === undefined) return false;
  return (actual.toLowerCase() === value.toLowerCase()) === (sign === '==');
}

/** Absent where Swarm has no such attribute. */
export function attributeOf(node: FleetNode, key: string): string | undefined {
  const name = key.toLowerCase();
  if (name.startsWith(LABELS)) return node.labels[key.slice(LABELS.length)] ?? '';
  if (name.startsWith(ENGINE_LABELS))
    return node.engineLabels[key.slice(ENGINE_LABELS.length)] ?? '';
  switch (name) {
    case 'node.id':
      return node.id;
    case 'node.hostname':
      return node.hostname;
    case 'node.role':
      return node.role;
    case 'node.ip':
      return node.address;
    case 'node.platform.os':
      return node.platform.os;
    case 'node.platform.arch':
      return node.platform.architecture;
    default:
      return undefined;
  }
}

function whyNotForImage(of: Platform, platforms: readonly Platform[]): string | undefined {
  const isFor = platforms.some(
    ({ os, architecture }) =>
      (os === '' || os === of.os) &&
      (architecture === '' || asGo(architecture) === asGo(of.architecture)),
  );
  if (isFor || platforms.length === 0) return undefined;
  return `the image is not for ${of.os}/${of.architecture}`;
}

/** Kernels and images have different words for the same processor. */
function asGo(architecture: string): string {
  return { x86_64: 'amd64', aarch64: 'arm64' }[architecture] ?? architecture;
}

function takenPort(wanted: readonly string[], taken: ReadonlySet<string>): string | undefined {
  const port = wanted.find((each) => taken.has(each));
  return port === undefined ? undefined : `port ${port} is taken`;
}

function cores(nanoCpus: number): string {
  return String(Number((Math.max(0, nanoCpus) / NANO).toFixed(2)));
}

function mebibytes(bytes: number): number {
  return Math.max(0, Math.floor(bytes / MIB));
}
