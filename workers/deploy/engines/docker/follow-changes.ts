import { setTimeout as sleep } from 'node:timers/promises';
import { followEvents } from '#adapters/docker/events.ts';
import type { DockerEvent } from '#adapters/docker/events.ts';
import { messageOf } from '#core/errors.ts';
import { checkClock } from './clock.ts';
import type { DockerContext } from './context.ts';
import type { EngineState } from './engine-state.ts';
import { agrees, LABEL } from './marks.ts';
import { suffix } from './names.ts';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
/** Not those of exec: a health check of somebody else's would flood us. */
const EVENTS = [
  'start',
  'die',
  'stop',
  'kill',
  'destroy',
  'update',
  'rename',
  'pause',
  'unpause',
  'oom',
  'connect',
  'disconnect',
];

/** After them a port of the host may be free. */
const FREEING = new Set(['die', 'disconnect']);

type Followers = Pick<EngineState, 'context' | 'inspections' | 'endings' | 'restarts' | 'system'>;

/** Tells of every change to what is ours, also by others, until aborted; connects again when Docker hangs up. */
export async function followChanges(
  { context, inspections, endings, restarts, system }: Followers,
  onChange: (what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  // Volumes' and networks' events carry no labels: what is ours is told apart here.
  const filters = { type: ['container', 'network', 'volume'], event: EVENTS };
  let failures = 0;

  function connected(): void {
    failures = 0;
    inspections.setFollowing(true);
    if (context.isRemote) void checkClock(context, signal);
    onChange('events are followed');
  }

  while (!signal.aborted) {
    try {
      for await (const event of followEvents(context.docker, filters, connected, signal)) {
        if (!isOurs(context, event)) {
          if (FREEING.has(event.Action) && system.retryPorts())
            onChange('a port of the host may be free');
          continue;
        }
        inspections.forget(event.Actor.Attributes['container'] ?? event.Actor.ID);
        endings.onEvent(event);
        restarts.onEvent(event);
        onChange(`${event.Action} ${event.Actor.Attributes['name'] ?? event.Actor.ID}`);
      }
    } catch (error) {
      const reason = messageOf(error);
      if (!signal.aborted)
        context.log.warn({ cluster: context.cluster, reason }, "Docker's events broke off");
    }
    inspections.setFollowing(false);
    failures += 1;
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether the event is of something of this cluster. */
export function isOurs(
  context: Pick<DockerContext, 'cluster' | 'installation'>,
  { Type, Actor }: DockerEvent,
): boolean {
  if (Type === 'network') return Actor.Attributes['name'] === suffix(context);
  if (Type === 'volume') return Actor.ID.endsWith(`.${suffix(context)}`);
  return agrees(Actor.Attributes, {
    [LABEL.installation]: context.installation,
    [LABEL.cluster]: context.cluster,
  });
}
