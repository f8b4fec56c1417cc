import { setTimeout as sleep } from 'node:timers/promises';
import { followEvents } from '#adapters/docker/events.ts';
import { messageOf } from '#core/errors.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { SwarmContext } from './context.ts';
import type { Happening } from './pace.ts';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
/** Of the swarm, which carry no labels, and of containers of the manager's own server: of those only ours are told. */
const FILTERS = {
  type: ['service', 'node', 'container'],
  event: ['create', 'update', 'remove', 'start', 'die', 'oom'],
};

/** Tells of changes until aborted; connects again when Docker hangs up. */
export async function followSwarm(
  context: SwarmContext,
  onChange: (happening: Happening) => void,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  function connected(): void {
    failures = 0;
    onChange({ what: 'events are followed' });
  }
  while (!signal.aborted) {
    try {
      for await (const { Type, Action, Actor } of followEvents(
        context.docker,
        FILTERS,
        connected,
        signal,
      )) {
        const what = `${Type} ${Action} ${Actor.Attributes['name'] ?? ''}`;
        if (Type !== 'container') onChange({ what });
        else if (Actor.Attributes[MARK.installation] === context.installation)
          onChange({ what, container: Action === 'start' ? 'start' : 'other' });
      }
    } catch (error) {
      const reason = messageOf(error);
      if (!signal.aborted)
        context.log.warn({ cluster: context.cluster, reason }, "Docker's events broke off");
    }
    failures += 1;
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  }
}
