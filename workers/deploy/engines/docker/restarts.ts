import { putFiles, readFile } from '#adapters/docker/archive.ts';
import type { DockerEvent } from '#adapters/docker/events.ts';
import { LONGEST_DELAY_MS, restartTime } from '#core/docker/backoff.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { beginLife, continueLife, isStartedAgain } from './container-life.ts';
import type { ContainerLife } from './container-life.ts';
import { startContainer, stopContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { Endings } from './endings.ts';
import type { Hooks } from './hooks.ts';
import { timeOf } from './inspected.ts';
import type { InspectedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { LABEL } from './marks.ts';
import { dueAt } from './noted-times.ts';
import type { NotedTimes } from './noted-times.ts';

const FOLDER = 'windlass/restarts';
const CLOSE_MS = 3_000;
/** A container that was started this long after it was made has been started before. */
const FIRST_START_MS = 5_000;

/**
 * Counts restarts, and holds containers back that crash again and again. Docker restarts what ends, so that this goes on
 * while no Windlass runs; where that is too early, Docker is told to leave it, and it is started later. INVARIANT: what is
 * held back is held back by this process only. It starts it when it ends; another one starts it when it finds it.
 */
export interface Restarts {
  of(
    container: InspectedContainer,
    signal: AbortSignal,
  ): Promise<Pick<ContainerLife, 'restarts' | 'restartAt' | 'cause'>>;
  onEvent(event: DockerEvent): void;
  /** Ends a container, and has it start again as soon as it may. False where that is under way already. */
  begin(container: { id: string; graceSeconds: number; why: string }): boolean;
  keepOnly(ids: ReadonlySet<string>): void;
  close(): Promise<void>;
}

export function createRestarts(
  context: DockerContext,
  endings: Endings,
  hooks: Hooks,
  times: NotedTimes,
  onChange: (what: string) => void,
): Restarts {
  const lives = new Map<string, ContainerLife>();
  const ending = new Map<string, Promise<void>>();
  const closing = new AbortController();

  async function see(container: InspectedContainer, signal: AbortSignal): Promise<ContainerLife> {
    const known = lives.get(container.Id);
    const life =
      known === undefined
        ? beginLife(container, await readCount(context, container, signal))
        : continueLife(known, container);
    // Another look may have been faster.
    const latest = lives.get(container.Id);
    if (latest !== known) return latest ?? life;
    lives.set(container.Id, life);
    if (life.restarts > (known?.restarts ?? life.restarts)) record(container, life.restarts);
    return life;
  }

  function record(container: InspectedContainer, restarts: number): void {
    writeCount(context, container, restarts, closing.signal).catch((error: unknown) => {
      const reason = messageOf(error);
      context.log.debug({ cluster: context.cluster, reason }, 'restarts were not recorded');
    });
  }

  /** Docker is about to start it again: not yet, if it crashed before. */
  async function holdBack(id: string): Promise<void> {
    const { signal } = closing;
    const container = await inspectContainer(context, id, signal);
    if (container === undefined) return;
    const life = await see(container, signal);
    if (container.State.Status !== 'restarting') return;
    void endings.of(container, signal).catch(() => undefined);
    const { cause: _before, ...crashed } = life;
    const restartAt = restartTime(life.backoff, times.of(timeOf(container.State.FinishedAt)));
    lives.set(id, { ...crashed, ...(restartAt > Date.now() ? { restartAt } : {}) });
    if (restartAt <= Date.now()) return;
    await stopContainer(context, id, 0, signal);
    onChange(`container ${id} is held back`);
  }

  async function end(id: string, graceSeconds: number): Promise<void> {
    const { signal } = closing;
    try {
      const asked = await hooks.preStop({ id, graceSeconds, goes: false }, signal);
      addCause(id, asked.failure);
      if (asked.restarted) return;
      await stopContainer(context, id, asked.graceSeconds, signal);
      const life = lives.get(id);
      if (life !== undefined && (await mayStart(id, signal)))
        lives.set(id, { ...life, restartAt: restartTime(life.backoff, Date.now()) });
    } catch (error) {
      if (!signal.aborted) tellFailure(id, error);
    } finally {
      ending.delete(id);
      onChange(`container ${id} was ended`);
    }
  }

  function addCause(id: string, failure: string | undefined): void {
    const life = lives.get(id);
    if (life === undefined || failure === undefined) return;
    lives.set(id, { ...life, cause: [life.cause ?? [], failure].flat().join('; ') });
  }

  async function mayStart(id: string, signal: AbortSignal): Promise<boolean> {
    const container = await inspectContainer(context, id, signal);
    return container !== undefined && isStartedAgain(container);
  }

  function tellFailure(id: string, error: unknown): void {
    context.log.warn(
      { cluster: context.cluster, container: id, reason: messageOf(error) },
      'a container could not be ended',
    );
  }

  return {
    async of(container, signal) {
      const { restarts, restartAt, cause } = await see(container, signal);
      const isHeld = restartAt !== undefined && container.State.Status === 'exited';
      return {
        restarts,
        ...(isHeld ? { restartAt: dueAt(restartAt, LONGEST_DELAY_MS, Date.now()) } : {}),
        ...(cause === undefined ? {} : { cause }),
      };
    },
    onEvent({ Action, Actor }) {
      if (Action !== 'die' || Actor.Attributes[LABEL.role] !== 'container') return;
      if (ending.has(Actor.ID) || closing.signal.aborted) return;
      holdBack(Actor.ID).catch((error: unknown) => {
        if (!closing.signal.aborted) tellFailure(Actor.ID, error);
      });
    },
    begin({ id, graceSeconds, why }) {
      const life = lives.get(id);
      if (ending.has(id) || life === undefined || closing.signal.aborted) return false;
      lives.set(id, { ...life, cause: why });
      ending.set(id, end(id, graceSeconds));
      return true;
    },
    keepOnly(ids) {
      for (const id of lives.keys()) if (!ids.has(id)) lives.delete(id);
    },
    async close() {
      const held = [...lives].filter(([, { restartAt }]) => restartAt !== undefined);
      const left = [...held.map(([id]) => id), ...ending.keys()];
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      await Promise.all(ending.values());
      const signal = AbortSignal.timeout(CLOSE_MS);
      await Promise.allSettled(
        left.map(async (id) => {
          if (await mayStart(id, signal)) await startContainer(context, id, signal);
        }),
      );
    },
  };
}

/** The sandbox keeps the count: its life is the pod's. */
async function readCount(
  context: DockerContext,
  container: InspectedContainer,
  signal: AbortSignal,
): Promise<number> {
  const { sandbox, path } = placeOf(container);
  const sinceMade = Date.parse(container.State.StartedAt) - Date.parse(container.Created);
  if (sandbox === undefined || sinceMade < FIRST_START_MS) return 0;
  return Number((await readFile(context.docker, sandbox, `/${path}`, signal)) ?? 0);
}

async function writeCount(
  context: DockerContext,
  container: InspectedContainer,
  restarts: number,
  signal: AbortSignal,
): Promise<void> {
  const { sandbox, path } = placeOf(container);
  if (sandbox === undefined) return;
  await putFiles(
    context.docker,
    sandbox,
    [
      { kind: 'directory', path: FOLDER, mode: 0o755 },
      { kind: 'file', path, content: String(restarts), mode: 0o644 },
    ],
    signal,
  );
}

function placeOf({ Config, HostConfig }: InspectedContainer): { sandbox?: string; path: string } {
  const sandbox = /^container:(.+)$/.exec(HostConfig.NetworkMode)?.[1];
  const path = `${FOLDER}/${Config.Labels?.[LABEL.container] ?? ''}`;
  return { path, ...(sandbox === undefined ? {} : { sandbox }) };
}
