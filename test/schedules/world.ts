import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { createMemorySharedState } from '#adapters/fake/shared-state.ts';
import type { RunStore } from '#core/ports.ts';
import { isFinished } from '#core/run/run.ts';
import type { Orchestrator } from '../../apps/server/orchestrator.ts';
import { createCommits } from './commits.ts';
import type { Commits, Quality } from './commits.ts';
import { createInterleaving, through } from './interleaving.ts';
import type { Process } from './interleaving.ts';
import { createMemoryEngine } from './memory-engine.ts';
import type { MemoryEngine } from './memory-engine.ts';
import { createMemoryQueue } from './memory-queue.ts';
import { createMemoryReleases } from './memory-releases.ts';
import type { MemoryReleases } from './memory-releases.ts';
import { serverOf, storeOf } from './ports.ts';
import { startBuildWorker, startDeployWorker, startServer } from './roles.ts';
import { CLUSTER, declarations, PIPELINE, pipeline } from './shop.ts';

export const ROLES = ['server', 'build', 'deploy'] as const;
export type Role = (typeof ROLES)[number];

const REF = 'refs/heads/main';
const WHO = 'ada';

/**
 * Windlass on stores, a queue, a release branch and an engine in memory, which outlive its processes. These go on one
 * step at a time and can be killed between any two.
 */
export interface World {
  readonly commits: Commits;
  readonly runs: RunStore;
  readonly releases: MemoryReleases;
  readonly engine: MemoryEngine;
  /** Runs of which it was told that they have ended, as often as it was told. */
  readonly ended: readonly string[];
  /** Commits whose push was answered. */
  readonly acknowledged: readonly string[];
  /** Runs that somebody wanted cancelled. */
  readonly cancelled: ReadonlySet<string>;
  /** Another number after each change of anything that outlives processes. */
  changes(): number;
  push(quality: Quality): void;
  cancelNewest(): void;
  kill(role: Role): void;
  start(role: Role): void;
  /** Workers keep what they have under way, and may be given it once more. */
  loseLocks(): void;
  /** Lets one process take a step; answers whether any could. */
  step(choice: number): Promise<boolean>;
}

export function createWorld(): World {
  const interleaving = createInterleaving();
  const processes = new Map<Role, Process>();
  let server: { process: Process; orchestrator: Orchestrator } | undefined;
  let serverStart = Promise.withResolvers<void>();
  const address = {
    alive: () => (server?.process.isAlive === true ? server.process : undefined),
    started: () => serverStart.promise,
  };

  const commits = createCommits();
  const queue = createMemoryQueue();
  const runs = createMemoryRunStore(queue);
  const shared = createMemorySharedState();
  const releases = createMemoryReleases(runs, { pipeline: PIPELINE, entry: CLUSTER });
  const engine = createMemoryEngine((source) => commits.qualityOf(source) !== 'does not serve');
  const acknowledged: string[] = [];
  const cancelled = new Set<string>();
  const ended: string[] = [];
  let news = 0;

  void shared.putDeclarations({ ...declarations, retired: {} });
  void runs.follow(
    undefined,
    (each) => {
      news += 1;
      if (each.kind === 'run' && isFinished(each.run)) ended.push(each.run.id);
    },
    new AbortController().signal,
  );

  const start: Record<Role, (process: Process) => void> = {
    server(process) {
      const orchestrator = startServer(process, {
        runs: storeOf(process, runs),
        queue: through(process, queue),
        releases: through(process, releases),
        commits,
      });
      server = { process, orchestrator };
      serverStart.resolve();
      serverStart = Promise.withResolvers();
    },
    build: (process) =>
      startBuildWorker(process, {
        runs: storeOf(process, runs),
        server: serverOf(process, address, releases),
        queue,
        commits,
      }),
    deploy: (process) =>
      startDeployWorker(process, {
        runs: storeOf(process, runs),
        server: serverOf(process, address, releases),
        engine,
        queue,
        shared,
      }),
  };

  /** What somebody asks of the server; nothing is heard of it when it dies. */
  async function ask(use: (orchestrator: Orchestrator) => Promise<void>): Promise<void> {
    if (server?.process.isAlive !== true) return;
    const { process, orchestrator } = server;
    await process.turn();
    try {
      await use(orchestrator);
    } catch (error) {
      if (process.isAlive) throw error;
    }
  }

  async function cancel({ cancel: cancelRun }: Pick<Orchestrator, 'cancel'>): Promise<void> {
    const [newest] = await runs.list({ limit: 1 });
    if (newest === undefined) return;
    cancelled.add(newest.id);
    await cancelRun(newest.id, WHO).catch(() => {
      // It has ended meanwhile.
    });
  }

  return {
    commits,
    runs,
    releases,
    engine,
    ended,
    acknowledged,
    cancelled,
    changes: () => news + releases.commits.length + engine.applied.length,
    push(quality) {
      if (server?.process.isAlive !== true) return;
      const before = commits.head();
      const after = commits.add(quality);
      const known = before === undefined ? {} : { before };
      void ask(async (orchestrator) => {
        const trigger = { kind: 'push' as const, ref: REF, after, who: WHO, ...known };
        await orchestrator.receive(trigger, { pipeline: PIPELINE, spec: pipeline.spec });
        acknowledged.push(after);
      });
    },
    cancelNewest: () => void ask(cancel),
    kill: (role) => processes.get(role)?.kill(),
    start(role) {
      if (processes.get(role)?.isAlive === true) return;
      const process = interleaving.startProcess();
      processes.set(role, process);
      queue.findStalled();
      start[role](process);
    },
    loseLocks: () => queue.loseLocks(),
    step: (choice) => interleaving.step(choice),
  };
}
