import { setTimeout as sleep } from 'node:timers/promises';
import { callDocker } from '#adapters/docker/call.ts';
import { graceAfter, hookSucceeded } from '#core/docker/lifecycle.ts';
import type { Hook, Hooks as Declared, PostStart } from '#core/docker/world.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { createAskContainer } from './ask-container.ts';
import { labelsOf } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { ProbeResult } from './fold-probe.ts';
import { runHookCommand } from './hook-command.ts';
import { readNote, sandboxOf, writeNote } from './hook-notes.ts';
import type { HookNote } from './hook-notes.ts';
import { timeOf } from './inspected.ts';
import type { InspectedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { LABEL } from './marks.ts';
import { findNetwork } from './network.ts';
import { onHost, podAddress } from './pod-address.ts';
import type { SandboxShell } from './sandbox-shell.ts';

/** Kubernetes waits for ever for a postStart hook. */
const LONGEST_POST_START_S = 3_600;
const ASK_AGAIN_MS = 250;
/** No timer takes more. */
const LONGEST_MS = 2 ** 31 - 1;
/** What TLS makes of an answer in plain HTTP. */
const NOT_TLS = /wrong version number|packet length too long/i;
const DOWN = new Set(['created', 'exited', 'restarting', 'dead', 'removing']);

/** A container after its preStop hook. */
export interface Stopping {
  /** What is left to it to end. */
  graceSeconds: number;
  /** It was started again meanwhile, and is not to be stopped any more. */
  restarted: boolean;
  /** Why the hook failed. */
  failure?: string;
}

/** Hooks of containers' lifecycles, beside the passes. Each is run once at least, as in Kubernetes. */
export interface Hooks {
  /** How its postStart hook stands since it last started; absent where it has none. */
  postStartOf(container: InspectedContainer, signal: AbortSignal): Promise<PostStart | undefined>;
  /** Runs their postStart hooks, where they do not run yet. */
  begin(ids: readonly string[]): void;
  /**
   * Runs the preStop hook of a container that is about to be stopped, if it has one and runs. A hook that an earlier call
   * began for the same reason goes on.
   */
  preStop(
    container: { id: string; graceSeconds: number; reason?: string; goes: boolean },
    signal: AbortSignal,
  ): Promise<Stopping>;
  keepOnly(ids: ReadonlySet<string>): void;
  close(): Promise<void>;
}

type HttpHook = Extract<Hook, { kind: 'http' }>;

interface Begun {
  startedAt: string;
  state: PostStart;
  abort: AbortController;
  /** Absent where it was over when it was first seen. */
  running?: Promise<void>;
}

export function createHooks(
  context: DockerContext,
  shell: SandboxShell,
  onChange: (what: string) => void,
): Hooks {
  const begun = new Map<string, Begun>();
  /** Whose postStart hook is to begin. */
  const waiting = new Map<string, InspectedContainer>();
  const closing = new AbortController();

  async function runPostStart({ Id: id, State }: InspectedContainer, entry: Begun): Promise<void> {
    const signal = AbortSignal.any([closing.signal, entry.abort.signal]);
    try {
      const container = await inspectContainer(context, id, signal);
      const hook = container === undefined ? undefined : hooksIn(container).postStart;
      if (container?.State.StartedAt !== State.StartedAt || hook === undefined) return;
      const { ok, answer, at } = await run(container, 'postStart', hook, {
        of: State.StartedAt,
        patienceMs: LONGEST_POST_START_S * 1_000,
        signal,
      });
      entry.state = ok
        ? { state: 'done', answer: '', at }
        : { state: 'failed', answer: `FailedPostStartHook: ${answer}`, at };
    } catch (error) {
      if (!signal.aborted) tell(id, 'a postStart hook could not be run; it is tried again', error);
      if (begun.get(id) === entry) begun.delete(id);
    } finally {
      onChange(`the postStart hook of container ${id} ended`);
    }
  }

  /** Notes how far it comes where `of` says what that is of. */
  async function run(
    container: InspectedContainer,
    name: keyof Declared,
    hook: Hook,
    { of, patienceMs, signal }: { of: string | undefined; patienceMs: number; signal: AbortSignal },
  ): Promise<ProbeResult & { began: number; at: number }> {
    const known =
      of === undefined ? undefined : await readNote(context, container, name, of, signal);
    const note: HookNote = known ?? { of: of ?? '', at: Date.now() };
    if (note.ended !== undefined) return { ...note.ended, began: note.at };
    async function keep(): Promise<void> {
      if (of !== undefined) await writeNote(context, container, name, note, signal);
    }
    if (known === undefined) await keep();
    const left = atMost(note.at + patienceMs - Date.now());
    const { ok, answer } = await within(left, signal, (ends) =>
      carryOut(container, hook, note, left, keep, ends),
    );
    note.ended = { ok: hookSucceeded(hook, { ok, answer }), answer, at: Date.now() };
    const now = await inspectContainer(context, container.Id, signal);
    if (now?.State.StartedAt === container.State.StartedAt) await keep();
    return { ...note.ended, began: note.at };
  }

  async function carryOut(
    container: InspectedContainer,
    hook: Hook,
    note: HookNote,
    leftMs: number,
    keep: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    switch (hook.kind) {
      case 'sleep': {
        const until = note.at + hook.seconds * 1_000;
        await sleep(atMost(until - Date.now()), undefined, { signal });
        return { ok: true, answer: '' };
      }
      case 'exec':
        return runHookCommand(
          context.docker,
          container.Id,
          hook.command,
          note.exec,
          (id) => {
            note.exec = id;
            return keep();
          },
          signal,
        );
      case 'http':
        return request(container, hook, Math.ceil(leftMs / 1_000), signal);
    }
  }

  async function request(
    container: InspectedContainer,
    hook: HttpHook,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const ask = createAskContainer(context, shell, signal);
    const [sandbox, network] = await Promise.all([
      inspectContainer(context, sandboxOf(container) ?? '', signal),
      findNetwork(context, signal),
    ]);
    const address =
      sandbox === undefined || network === undefined ? undefined : podAddress(sandbox, network);
    if (sandbox === undefined || address === undefined)
      return { ok: false, answer: 'its pod has no address' };
    const asked = { id: container.Id, address, ...onHost(sandbox) };
    for (;;) {
      const result = await ask(asked, hook, timeoutSeconds);
      if (hook.scheme === 'https' && NOT_TLS.test(result?.answer ?? ''))
        return request(container, inPlain(hook), timeoutSeconds, signal);
      if (result !== undefined) return result;
      await sleep(ASK_AGAIN_MS, undefined, { signal });
    }
  }

  function tell(container: string, what: string, error: unknown): void {
    const reason = messageOf(error);
    context.log.warn({ cluster: context.cluster, container, reason }, what);
  }

  return {
    async postStartOf(container, signal) {
      const { Id: id, State } = container;
      waiting.delete(id);
      if (hooksIn(container).postStart === undefined) return undefined;
      const runs: PostStart = {
        state: 'runs',
        answer: 'its postStart hook has not ended',
        at: timeOf(State.StartedAt),
      };
      if (DOWN.has(State.Status)) return runs;
      const entry = begun.get(id);
      if (entry?.startedAt === State.StartedAt) return entry.state;
      const note = await readNote(context, container, 'postStart', State.StartedAt, signal);
      if (note?.ended?.ok !== true) {
        waiting.set(id, container);
        return runs;
      }
      const state: PostStart = { state: 'done', answer: '', at: note.ended.at };
      begun.set(id, { startedAt: State.StartedAt, state, abort: new AbortController() });
      return state;
    },
    begin(ids) {
      if (closing.signal.aborted) return;
      for (const id of ids) {
        const container = waiting.get(id);
        if (container === undefined) continue;
        waiting.delete(id);
        begun.get(id)?.abort.abort();
        const { StartedAt: startedAt } = container.State;
        const state: PostStart = {
          state: 'runs',
          answer: 'its postStart hook runs',
          at: timeOf(startedAt),
        };
        const entry: Begun = { startedAt, state, abort: new AbortController() };
        begun.set(id, entry);
        entry.running = runPostStart(container, entry);
      }
    },
    async preStop({ id, graceSeconds, reason, goes }, signal) {
      const container = await inspectContainer(context, id, signal);
      const hook = container === undefined ? undefined : hooksIn(container).preStop;
      const isAsBefore = { graceSeconds, restarted: false };
      if (container?.State.Status !== 'running' || hook === undefined || graceSeconds === 0)
        return isAsBefore;
      begun.get(id)?.abort.abort();
      if (goes) await leaveWhenEnded(context, id, signal);
      const of = reason === undefined ? undefined : `${container.State.StartedAt} ${reason}`;
      const patienceMs = graceSeconds * 1_000;
      const { ok, answer, began } = await run(container, 'preStop', hook, {
        of,
        patienceMs,
        signal,
      });
      const failure = ok ? undefined : `FailedPreStopHook: ${answer}`;
      if (failure !== undefined) {
        const labels = labelsOf(container);
        const pod = `${labels[LABEL.namespace]}/${labels[LABEL.pod]}`;
        context.log.warn(
          { cluster: context.cluster, pod, container: labels[LABEL.container], reason: failure },
          'a preStop hook failed; the container is stopped all the same',
        );
      }
      const now = await inspectContainer(context, id, signal);
      return {
        graceSeconds: graceAfter(graceSeconds, Date.now() - began),
        restarted: !goes && now?.State.StartedAt !== container.State.StartedAt,
        ...(failure === undefined ? {} : { failure }),
      };
    },
    keepOnly(ids) {
      for (const [id, { abort }] of begun) {
        if (ids.has(id)) continue;
        abort.abort();
        begun.delete(id);
      }
    },
    async close() {
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      await Promise.all([...begun.values()].flatMap(({ running }) => running ?? []));
    },
  };
}

/** As the kubelet tries again with a server that speaks no TLS; what it authorizes with is not for all to read. */
function inPlain(hook: HttpHook): HttpHook {
  const headers = Object.entries(hook.headers).filter(
    ([name]) => name.toLowerCase() !== 'authorization',
  );
  return { ...hook, scheme: 'http', headers: Object.fromEntries(headers) };
}

function atMost(ms: number): number {
  return Math.min(LONGEST_MS, Math.max(0, ms));
}

/** Fails what does not end in time; what Docker refuses is an answer too. */
async function within(
  ms: number,
  signal: AbortSignal,
  work: (ends: AbortSignal) => Promise<ProbeResult>,
): Promise<ProbeResult> {
  const over = new AbortController();
  const ends = AbortSignal.any([signal, over.signal]);
  const late = { ok: false, answer: `no end within ${Math.round(ms / 1_000)} s` };
  try {
    return await Promise.race([
      work(ends).catch((error: unknown) => ({ ok: false, answer: messageOf(error) })),
      sleep(ms, late, { signal: ends }),
    ]);
  } finally {
    signal.throwIfAborted();
    over.abort(new UserError('cancelled', 'the hook is over'));
  }
}

/** So that Docker does not start it again where its hook ends it. */
async function leaveWhenEnded(
  { docker }: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  await callDocker(docker, {
    method: 'POST',
    path: `/containers/${id}/update`,
    body: { RestartPolicy: { Name: 'no' } },
    signal,
  });
}

export function hooksIn(container: InspectedContainer): Declared {
  return JSON.parse(labelsOf(container)[LABEL.hooks] ?? '{}') as Declared;
}
