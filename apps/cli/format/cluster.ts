import type { ClusterView } from '#core/api/cluster.ts';
import type { HealthStatus } from '#core/health.ts';
import { displayKey, displayText } from '#core/present/display.ts';
import { heldText } from '#core/present/held-text.ts';
import { planLines } from '#core/present/plan-lines.ts';
import type { Colour, Paint } from './colour.ts';
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
    ...cluster.owners.flatMap((owner) => ['', ...ownerLines(owner, paint)]),
  ];
}

function reported(
  { controller, at, error, owners }: ClusterView,
  paint: Paint,
  now: number,
): string {
  if (error !== undefined) return paint('red', displayText(error));
  if (controller === undefined || at === undefined) {
    return paint('yellow', 'no deploy worker has reported on it yet');
  }
  const what = owners.length === 0 ? 'nothing is deployed, ' : '';
  return `${what}seen ${formatAge(now - at)} ago by ${controller}`;
}

function ownerLines(owner: Owner, paint: Paint): string[] {
  const state = owner.serving ? paint('green', 'serving') : notServing(owner, paint);
  const rows = owner.resources.flatMap((resource) => resourceRows(resource, paint));
  return [
    `${paint('bold', owner.owner)} release ${shortCommit(owner.release)}: ${state}`,
    ...(rows.length === 0 ? [] : tableLines(['  RESOURCE', 'HEALTH', ''], rows)),
    ...planLines(owner.plan).map((line) => `  ${paintPlanLine(line, paint)}`),
    ...heldLines(owner, paint),
  ];
}

function heldLines({ owner, held }: Owner, paint: Paint): string[] {
  if (held.length === 0) return [];
  const [pipeline = '', entry = ''] = owner.split('/');
  return [
    `  ${paint('yellow', heldText(pipeline, entry, held))}`,
    ...planLines(held).map((line) => `  ${paintPlanLine(line, paint)}`),
  ];
}

function notServing({ failure }: Owner, paint: Paint): string {
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
      pod.ready ? paint('green', 'ready') : paint('yellow', 'not ready'),
      displayText(pod.containers.map(containerText).join('; ')),
    ]),
  ];
}

function containerText(
  container: NonNullable<Resource['pods']>[number]['containers'][number],
): string {
  const restarts = container.restarts === 0 ? '' : `, ${container.restarts} restarts`;
  const exit = container.exitCode === undefined ? '' : `, exit code ${container.exitCode}`;
  const message = container.message === undefined ? '' : `: ${container.message}`;
  return `${container.name} ${container.reason ?? container.state}${exit}${restarts}${message}`;
}
