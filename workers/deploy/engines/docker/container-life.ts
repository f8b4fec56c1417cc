import { afterRestart } from '#core/docker/backoff.ts';
import type { Backoff } from '#core/docker/backoff.ts';
import type { InspectedContainer } from './inspected.ts';

/** What is known of the restarts of one container. */
export interface ContainerLife {
  startedAt: string;
  /** As Docker counts since somebody last started it. */
  byDocker: number;
  restarts: number;
  backoff?: Backoff;
  /** It is held back until then (ms). */
  restartAt?: number;
  /** Why it was ended, where it did not end by itself. */
  cause?: string;
}

type Seen = Pick<InspectedContainer, 'RestartCount' | 'State'>;

/** A container that is seen for the first time. `recorded` is what an earlier worker counted. */
export function beginLife(container: Seen, recorded = 0): ContainerLife {
  const byDocker = restartsByDocker(container);
  const { StartedAt: startedAt } = container.State;
  return { startedAt, byDocker, restarts: Math.max(recorded, byDocker) };
}

/** Takes in the restarts since it was last seen, by whomever. */
export function continueLife(life: ContainerLife, container: Seen): ContainerLife {
  const { StartedAt: startedAt } = container.State;
  if (startedAt === life.startedAt) return life;
  const byDocker = restartsByDocker(container);
  const wasStarted = Date.parse(life.startedAt) > 0;
  const more = wasStarted ? Math.max(1, byDocker - life.byDocker) : 0;
  const { backoff, restartAt: _over, ...rest } = life;
  let later = backoff;
  for (let count = 0; count < more; count += 1) later = afterRestart(later, Date.parse(startedAt));
  return {
    ...rest,
    startedAt,
    byDocker,
    restarts: life.restarts + more,
    ...(later === undefined ? {} : { backoff: later }),
  };
}

/** Whether it is started again after it ended, by Docker or by us. */
export function isStartedAgain({
  HostConfig,
  State,
}: Pick<InspectedContainer, 'HostConfig' | 'State'>): boolean {
  const { Name: policy } = HostConfig.RestartPolicy;
  return policy === 'on-failure' ? State.ExitCode !== 0 : policy !== 'no';
}

/** Docker counts the one too that it is waiting to make. */
function restartsByDocker({ RestartCount, State }: Seen): number {
  return Math.max(0, RestartCount - (State.Status === 'restarting' ? 1 : 0));
}
