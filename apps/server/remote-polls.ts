import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { pollMsOf } from '#core/declarations/pipeline.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { RunStore } from '#core/ports.ts';
import { isAlike } from './is-alike.ts';
import type { Orchestrator } from './orchestrator.ts';

const TICK_MS = 1_000;
const LOOKS_AT_ONCE = 8;
/** So many of them at remotes that failed the last time: these take long, and hold up no other. */
const TROUBLED_AT_ONCE = 3;

/** Why a pipeline's remote cannot be looked at. */
interface RemoteProblem {
  pipeline: string;
  message: string;
  /** Milliseconds since the epoch. */
  since: number;
}

/** Looks at the remotes of pipelines for commits that no webhook told of. */
export interface RemotePolls {
  /** Until aborted. */
  run(signal: AbortSignal): Promise<void>;
  problems(): RemoteProblem[];
}

export interface RemotePollsDependencies {
  declared: () => Readonly<Record<string, Pipeline>>;
  /** The commits of the source's branches, by branch; what the remote lacks is left out. */
  readHeads: (
    source: Pipeline['spec']['source'],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, string>>;
  runs: Pick<RunStore, 'handledHeads'>;
  orchestrator: Pick<Orchestrator, 'receiveHead'>;
  now: () => number;
  log: Logger;
}

interface Remote {
  pipeline: Pipeline;
  /** On the clock of `performance.now()`. */
  dueAt: number;
  isLookedAt: boolean;
  problem?: RemoteProblem;
}

export function createRemotePolls(dependencies: RemotePollsDependencies): RemotePolls {
  const { declared, now, log } = dependencies;
  const remotes = new Map<string, Remote>();

  /** What is new, or declared anew, is looked at soon. */
  function update(): void {
    const all = declared();
    for (const [name, { pipeline }] of remotes) {
      if (all[name] !== pipeline && !isSame(all[name], pipeline)) remotes.delete(name);
    }
    for (const [name, pipeline] of Object.entries(all)) {
      if (pollMsOf(pipeline.spec.source) === undefined) continue;
      const known = remotes.get(name);
      if (known === undefined) remotes.set(name, { pipeline, dueAt: 0, isLookedAt: false });
      else known.pipeline = pipeline;
    }
  }

  function nextDue(): Remote | undefined {
    const all = [...remotes.values()];
    const busy = all.filter(({ isLookedAt }) => isLookedAt);
    if (busy.length >= LOOKS_AT_ONCE) return undefined;
    const isCrowded =
      busy.filter(({ problem }) => problem !== undefined).length >= TROUBLED_AT_ONCE;
    const [first] = all
      .filter(({ isLookedAt, dueAt }) => !isLookedAt && dueAt <= performance.now())
      .filter(({ problem }) => !(isCrowded && problem !== undefined))
      .toSorted((one, other) => one.dueAt - other.dueAt);
    return first;
  }

  async function look(remote: Remote, signal: AbortSignal): Promise<void> {
    remote.isLookedAt = true;
    try {
      await lookAt(remote, signal);
      tell(remote, undefined);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof UserError)) log.error({ err: error }, 'a remote was not looked at');
      tell(remote, textOf(error));
    } finally {
      remote.isLookedAt = false;
      remote.dueAt = performance.now() + (pollMsOf(remote.pipeline.spec.source) ?? 0);
    }
  }

  async function lookAt(remote: Remote, signal: AbortSignal): Promise<void> {
    const { metadata, spec } = remote.pipeline;
    const { branches } = spec.source;
    const handled = await dependencies.runs.handledHeads(
      branches.map((branch) => ({ pipeline: metadata.name, branch })),
    );
    const heads = await dependencies.readHeads(spec.source, signal);
    for (const [index, branch] of branches.entries()) {
      const head = heads.get(branch);
      if (head === undefined || head === handled[index] || !isDeclared(remote)) continue;
      const seen = { branch, head, handled: handled[index] };
      const target = { pipeline: metadata.name, spec: remote.pipeline.spec };
      const run = await dependencies.orchestrator.receiveHead(seen, target);
      if (run !== undefined)
        log.info({ run: run.id, pipeline: metadata.name, branch }, 'a head was found by looking');
    }
    const missing = branches.filter((branch) => !heads.has(branch));
    if (missing.length === 0) return;
    throw new UserError('not-found', `${spec.source.url} has no branch ${missing.join(', ')}`, {
      hint: 'check source.branches of the pipeline',
    });
  }

  /** It may have been declared otherwise, or not at all any more, while it was looked at. */
  function isDeclared(remote: Remote): boolean {
    return remotes.get(remote.pipeline.metadata.name) === remote;
  }

  /** Once per change, however often it fails alike. */
  function tell(remote: Remote, message: string | undefined): void {
    const { problem } = remote;
    const pipeline = remote.pipeline.metadata.name;
    if (message === undefined) {
      if (problem !== undefined) log.info({ pipeline }, 'its remote answers again');
      delete remote.problem;
    } else if (problem === undefined || !isAlike(problem.message, message)) {
      remote.problem = { pipeline, message, since: problem?.since ?? now() };
      log.warn({ pipeline, problem: message }, 'its remote cannot be looked at; it is tried again');
    }
  }

  return {
    async run(signal) {
      const looks = new Set<Promise<void>>();
      function lookOn(): void {
        for (let remote = nextDue(); remote !== undefined; remote = nextDue()) {
          const looking = look(remote, signal).then(() => {
            looks.delete(looking);
            if (!signal.aborted) lookOn();
          });
          looks.add(looking);
        }
      }
      while (!signal.aborted) {
        update();
        lookOn();
        await sleep(TICK_MS, undefined, { signal }).catch(() => undefined);
      }
      await Promise.all(looks);
    },
    problems: () => [...remotes.values()].flatMap(({ problem }) => problem ?? []),
  };
}

function isSame(one: Pipeline | undefined, other: Pipeline): boolean {
  return one !== undefined && JSON.stringify(one.spec.source) === JSON.stringify(other.spec.source);
}

function textOf(error: unknown): string {
  const hint = error instanceof UserError ? error.hint : undefined;
  return hint === undefined ? messageOf(error) : `${messageOf(error)} (${hint})`;
}
