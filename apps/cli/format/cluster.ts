import type { ClusterView } from '#core/api/cluster.ts';
import type { Note } from '#core/by-hand/by-hand.ts';
import { overrideText } from '#core/by-hand/overrides.ts';
import type { HealthStatus } from '#core/health.ts';
import { displayKey, displayText } from '#core/present/display.ts';
import { heldText } from '#core/present/held-text.ts';
import { planLines } from '#core/present/plan-lines.ts';
import type { Colour, Paint } from './colour.ts';
import { fleetLines } from './fleet.ts';
import { paintPlanLine } from './plan.ts';
import { shortCommit } from './run.ts';
import { tableLines } from './table.ts';
import { formatAge } from './time.ts';

type Owner = ClusterView['owners'][number];
type Resource = Owner['resources'][number];

const COLOURS: Record<HealthStatus, Colour> = {
  Healthy: 'green',
  Suspended: 'dim',
  Progressing: 'cyan',
  Missing: 'yellow',
  Degraded: 'red',
  Unknown: 'red',
};

/** A cluster, the releases on it, their resources with health, and pods. */
export function clusterLines(cluster: ClusterView, paint: Paint, now: number): string[] {
  return [
    `cluster ${paint('bold', cluster.name)} (${cluster.engine}): ${reported(cluster, paint, now)}`,
    ...(cluster.declared ? [] : [paint('yellow', undeclared(cluster))]),
    ...(cluster.fleet === undefined ? [] : ['', ...fleetLines(cluster.fleet, paint)]),
    ...cluster.owners.flatMap((owner) => ['', ...ownerLines(owner, paint, now)]),
    ...cluster.orphans.flatMap((orphan) => ['', ...orphanLines(orphan, paint)]),
  ];
}

function reported(
  { controller, at, error, owners, orphans }: ClusterView,
  paint: Paint,
  now: number,
): string {
  if (error !== undefined) return paint('red', displayText(error));
  if (controller === undefined || at === undefined) {
    return paint('yellow', 'no deploy worker has reported on it yet');
  }
  const what = owners.length + orphans.length === 0 ? 'nothing is deployed, ' : '';
  return `${what}seen ${formatAge(now - at)} ago by ${controller}`;
}

function ownerLines(owner: Owner, paint: Paint, now: number): string[] {
  const rows = owner.resources.flatMap((resource) => resourceRows(resource, paint));
  const release = owner.release === '' ? '' : ` release ${shortCommit(owner.release)}`;
  return [
    `${paint('bold', owner.owner)}${release}: ${stateOf(owner, paint, now)}`,
    ...(rows.length === 0 ? [] : tableLines(['  RESOURCE', 'HEALTH', ''], rows)),
    ...planLines(owner.plan).map((line) => `  ${paintPlanLine(line, paint)}`),
    ...(owner.closed === undefined ? [] : [`  ${paint('yellow', displayText(owner.closed))}`]),
    ...owner.overrides.map((each) => `  ${overrideLine(each, paint)}`),
    ...heldLines(owner, paint),
  ];
}

function suspendedText({ who, at, reason }: Note, now: number): string {
  const why = reason === undefined ? '' : `: ${displayText(reason)}`;
  return `Suspended by ${who} ${formatAge(now - at)} ago${why}`;
}

function overrideLine(each: Owner['overrides'][number], paint: Paint): string {
  const colour = each.kind === 'scale' ? 'yellow' : 'dim';
  return paint(colour, `${displayKey(each.resource)} ${overrideText(each)}`);
}

function undeclared({ name, orphans }: ClusterView): string {
  const left = orphans.length === 0 ? '' : '; what is on it stays as it is';
  return `not declared any more${left}; to have it told no longer: windlass forget ${name}`;
}

function orphanLines(
  { owner, resources, pods }: ClusterView['orphans'][number],
  paint: Paint,
): string[] {
  const [pipeline = '', entry = ''] = owner.split('/');
  const many = `${counted(resources.length, 'resource')}, ${counted(pods, 'pod')}`;
  return [
    `${paint('bold', owner)} ${paint('yellow', 'orphaned')}: not declared here any more; ${many}`,
    ...resources.map((key) => `  ${displayKey(key)}`),
    `  remove it: windlass delete ${pipeline} ${entry} --cascade`,
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function heldLines({ owner, held }: Owner, paint: Paint): string[] {
  if (held.length === 0) return [];
  const [pipeline = '', entry = ''] = owner.split('/');
  return [
    `  ${paint('yellow', heldText(pipeline, entry, held))}`,
    ...planLines(held).map((line) => `  ${paintPlanLine(line, paint)}`),
  ];
}

function stateOf({ suspended, serving, failure }: Owner, paint: Paint, now: number): string {
  if (suspended !== undefined) return paint('yellow', suspendedText(suspended, now));
  if (serving) return paint('green', 'serving');
  return failure === undefined
    ? paint('cyan', 'not serving yet')
    : paint('red', displayText(failure));
}

function resourceRows({ key, health, summary, pods = [] }: Resource, paint: Paint): string[][] {
  const why = health.reason === '' ? summary : [summary, health.reason].filter(Boolean).join(': ');
  return [
    [`  ${displayKey(key)}`, paint(COLOURS[health.status], health.status), displayText(why)],
    ...pods.map((pod) => [
      `    ${pod.name}`,
      podText(pod, paint),
      displayText(pod.containers.map(containerText).join('; ')),
    ]),
  ];
}

type Pod = NonNullable<Resource['pods']>[number];
type Container = Pod['containers'][number];

function podText({ ready, phase, reason }: Pod, paint: Paint): string {
  if (phase !== undefined)
    return paint(phase === 'Succeeded' ? 'green' : 'red', displayText(reason ?? phase));
  return ready ? paint('green', 'ready') : paint('yellow', 'not ready');
}

function containerText(container: Container): string {
  const restarts = container.restarts === 0 ? '' : `, ${restartsText(container)}`;
  const exit = container.exitCode === undefined ? '' : `, exit code ${container.exitCode}`;
  const message = container.message === undefined ? '' : `: ${container.message}`;
  return `${container.name} ${container.reason ?? container.state}${exit}${restarts}${message}`;
}

function restartsText({ restarts, state, last }: Container): string {
  const times = restarts === 1 ? '1 restart' : `${restarts} restarts`;
  if (last === undefined || state !== 'running') return times;
  return `${times}, last ${last.reason}: ${last.message ?? `exit code ${last.exitCode}`}`;
}
