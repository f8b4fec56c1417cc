import { readPodLog } from '#adapters/kubernetes/pod-logs.ts';
import type { PodContainer } from '#adapters/kubernetes/pod-logs.ts';
import type { LogOptions, LogTarget, WorkloadLogLine } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { displayKey } from '#core/present/display.ts';
import type { KubernetesContext } from './context.ts';
import { podsOf } from './pod-place.ts';
import type { PodFound } from './pod-place.ts';
import { merge } from '../merge.ts';

type Lines = AsyncGenerator<WorkloadLogLine>;

/** What the containers of a workload write, as it comes. The API server tells stdout and stderr as one. */
export async function* workloadLogs(
  context: KubernetesContext,
  target: LogTarget,
  options: LogOptions,
  signal: AbortSignal,
): Lines {
  const pods = await podsOf(context, target, signal);
  if (pods.length === 0)
    throw new UserError('not-found', `there are no pods of ${displayKey(target.workload)}`, {
      hint: '`windlass status` lists what there is; -n names another namespace',
    });
  const places = pods.flatMap((found) =>
    containersOf(found, target.container).map((container) => ({
      namespace: target.namespace,
      pod: found.pod.name,
      container,
    })),
  );
  if (places.length === 0)
    throw new UserError('not-found', `${displayKey(target.workload)} has not written yet`, {
      hint: '`windlass status` tells why it waits; -c names another container',
    });
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  try {
    yield* merge(places.map((place) => containerLines(context, place, options, until)));
  } finally {
    ended.abort();
  }
}

/** Those that have been started: of others the API server refuses to tell a log, and the rest is to be read. */
function containersOf({ pod, containers }: PodFound, asked: string | undefined): string[] {
  const names = asked === undefined ? containers : [asked];
  return names.filter((name) =>
    pod.containers.some(
      (each) => each.name === name && (each.state !== 'waiting' || each.last !== undefined),
    ),
  );
}

async function* containerLines(
  { client }: KubernetesContext,
  place: PodContainer,
  options: LogOptions,
  signal: AbortSignal,
): Lines {
  const { pod, container } = place;
  for await (const line of readPodLog(client, place, options, signal))
    yield { pod, container, stream: 'stdout', line };
}
