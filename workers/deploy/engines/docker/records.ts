import { createHash } from 'node:crypto';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { AutoscalerState } from '#core/docker/autoscaler-state.ts';
import type { CronState } from '#core/docker/cron-state.ts';
import type { JobState } from '#core/docker/job-state.ts';
import type { PodTemplate } from '#core/docker/kinds.ts';
import type { SetState } from '#core/docker/set-state.ts';
import type { LiveRecord } from '#core/docker/world.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { keyOf, type Resource, type ResourceKey } from '#core/resources/resource.ts';
import type { DockerContext } from './context.ts';
import { agrees, LABEL, marks } from './marks.ts';
import { systemName } from './names.ts';

/** A volume as Docker lists it. */
export interface ListedVolume {
  Name: string;
  Labels: Record<string, string> | null;
}

/** A record and the volume whose labels hold it. */
export interface StoredRecord {
  volume: string;
  /** The volume it replaced; empty for the first. */
  previous: string;
  record: LiveRecord;
}

interface NewRecord {
  owner: string;
  resource: Resource;
  clusterIp?: string;
  nodePorts?: Record<string, number>;
  pausedTemplate?: PodTemplate;
  job?: JobState;
  set?: SetState;
  cron?: CronState;
  autoscaler?: AutoscalerState;
  held?: boolean;
}

/**
 * Reads the inventory out of volumes, the newest first. A volume counts only if its name is the hash of what its labels
 * say. Where a writer ended between making a record and removing the one before, both are there.
 */
export function readRecords(
  context: DockerContext,
  volumes: readonly ListedVolume[],
): StoredRecord[] {
  return volumes
    .filter(({ Labels }) => agrees(Labels, marks(context, 'record')))
    .flatMap((volume) => readRecord(context, volume))
    .toSorted((left, right) => right.record.recordedAt - left.record.recordedAt);
}

/** The record that counts, for each resource: the newest. */
export function newestRecords(stored: readonly StoredRecord[]): LiveRecord[] {
  const byKey = new Map<ResourceKey, LiveRecord>();
  for (const { record } of stored) if (!byKey.has(record.key)) byKey.set(record.key, record);
  return [...byKey.values()];
}

/** Records a resource as applied. The new record is there before the old one goes: a crash loses none. */
export async function writeRecord(
  context: DockerContext,
  next: NewRecord,
  stored: readonly StoredRecord[],
  signal: AbortSignal,
): Promise<void> {
  const key = keyOf(next.resource);
  const old = stored.filter(({ record }) => record.key === key);
  const labels: Record<string, string> = {
    ...marks(context, 'record'),
    [LABEL.owner]: next.owner,
    [LABEL.resource]: key,
    [LABEL.recorded]: JSON.stringify(next.resource),
    [LABEL.previous]: old[0]?.volume ?? '',
    ...(next.clusterIp === undefined ? {} : { [LABEL.clusterIp]: next.clusterIp }),
    ...(next.nodePorts === undefined ? {} : { [LABEL.nodePorts]: JSON.stringify(next.nodePorts) }),
    ...(next.pausedTemplate === undefined
      ? {}
      : { [LABEL.pausedTemplate]: JSON.stringify(next.pausedTemplate) }),
    ...(next.job === undefined ? {} : { [LABEL.job]: JSON.stringify(next.job) }),
    ...(next.set === undefined ? {} : { [LABEL.set]: JSON.stringify(next.set) }),
    ...(next.cron === undefined ? {} : { [LABEL.cron]: JSON.stringify(next.cron) }),
    ...(next.autoscaler === undefined
      ? {}
      : { [LABEL.autoscaler]: JSON.stringify(next.autoscaler) }),
    ...(next.held === true ? { [LABEL.held]: 'yes' } : {}),
  };
  const name = recordName(context, labels);
  // Never before the record it replaces, whatever the clocks of two workers say.
  const recordedAt = Math.max(Date.now(), (old[0]?.record.recordedAt ?? 0) + 1);
  const made = await callDocker<ListedVolume>(context.docker, {
    method: 'POST',
    path: '/volumes/create',
    body: {
      Name: name,
      Driver: 'local',
      Labels: { ...labels, [LABEL.recordedAt]: String(recordedAt) },
    },
    signal,
  });
  if (!agrees(made.Labels, labels)) throw takenVolume(name);
  for (const { volume } of old) if (volume !== name) await removeVolume(context, volume, signal);
}

export async function forgetRecord(
  context: DockerContext,
  key: ResourceKey,
  stored: readonly StoredRecord[],
  signal: AbortSignal,
): Promise<void> {
  // The newest last: ended in between, an older one must not count again.
  const old = stored.filter(({ record }) => record.key === key).toReversed();
  for (const { volume } of old) await removeVolume(context, volume, signal);
}

export async function removeVolume(
  context: DockerContext,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const request = { method: 'DELETE', path: `/volumes/${name}`, signal } as const;
  try {
    await callDocker(context.docker, request);
  } catch (error) {
    if (isStatus(error, 404)) return;
    if (!hasActiveMounts(error)) throw error;
    // Docker forgets it then, and says this again.
    await callDocker(context.docker, { ...request, query: { force: true } }).catch(
      (again: unknown) => {
        if (!hasActiveMounts(again)) throw again;
      },
    );
  }
}

/** A Docker that was killed counts more users than there are; of a volume that a container has it says "in use". */
function hasActiveMounts(error: unknown): boolean {
  return messageOf(error).includes('active mounts');
}

export function takenVolume(name: string): UserError {
  return new UserError('conflict', `the volume ${name} was not made by this installation`, {
    hint: `Remove it: docker volume rm ${name}`,
  });
}

function readRecord(context: DockerContext, { Name, Labels }: ListedVolume): StoredRecord[] {
  const labels = Labels ?? {};
  if (Name !== recordName(context, labels)) return [];
  const clusterIp = labels[LABEL.clusterIp];
  const nodePorts = labels[LABEL.nodePorts];
  const pausedTemplate = labels[LABEL.pausedTemplate];
  const job = labels[LABEL.job];
  const set = labels[LABEL.set];
  const cron = labels[LABEL.cron];
  const autoscaler = labels[LABEL.autoscaler];
  return [
    {
      volume: Name,
      previous: labels[LABEL.previous] ?? '',
      record: {
        key: labels[LABEL.resource] ?? '',
        owner: labels[LABEL.owner] ?? '',
        resource: JSON.parse(labels[LABEL.recorded] ?? '{}') as Resource,
        recordedAt: Number(labels[LABEL.recordedAt]),
        ...(clusterIp === undefined ? {} : { clusterIp }),
        ...(nodePorts === undefined
          ? {}
          : { nodePorts: JSON.parse(nodePorts) as Record<string, number> }),
        ...(pausedTemplate === undefined
          ? {}
          : { pausedTemplate: JSON.parse(pausedTemplate) as PodTemplate }),
        ...(job === undefined ? {} : { job: JSON.parse(job) as JobState }),
        ...(set === undefined ? {} : { set: JSON.parse(set) as SetState }),
        ...(cron === undefined ? {} : { cron: JSON.parse(cron) as CronState }),
        ...(autoscaler === undefined
          ? {}
          : { autoscaler: JSON.parse(autoscaler) as AutoscalerState }),
        ...(labels[LABEL.held] === undefined ? {} : { held: true }),
      },
    },
  ];
}

function recordName(context: DockerContext, labels: Record<string, string>): string {
  const told = [LABEL.owner, LABEL.resource, LABEL.recorded, LABEL.clusterIp, LABEL.previous];
  const more = [
    LABEL.held,
    LABEL.nodePorts,
    LABEL.pausedTemplate,
    LABEL.job,
    LABEL.set,
    LABEL.cron,
    LABEL.autoscaler,
  ].flatMap((label) => labels[label] ?? []);
  const hash = createHash('sha256').update(
    JSON.stringify([...told.map((label) => labels[label] ?? ''), ...more]),
  );
  return systemName(context, `record.${hash.digest('hex').slice(0, 24)}`);
}
