import type { Logger } from 'pino';
import { ownerKey } from '#core/owner.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { OwnerReport, ServerApi } from '#core/ports.ts';

/** A release whose run waits for it is marked by that, or taken back where somebody cancels it, sooner than this. */
const SETTLED_MS = 10_000;
const RETRY_MS = 60_000;

/** Sees to it that a release which serves is marked healthy, once, also where no run waits for it any more. */
export interface HealthyMarks {
  /** The server that was given: what is asked of it tells which releases are marked. */
  server: ServerApi;
  /** After each pass that saw the cluster. Not waited for: with the server away, healing goes on. */
  passed(owners: readonly OwnerReport[]): void;
}

interface HealthyMarksDependencies {
  server: ServerApi;
  /** In ms, of a clock that nobody sets. */
  now: () => number;
  log: Logger;
}

interface Unmarked {
  release: string;
  tryAt: number;
}

export function createHealthyMarks(
  { server: asked, now, log }: HealthyMarksDependencies,
  signal: AbortSignal,
): HealthyMarks {
  const marked = new Map<OwnerKey, string>();
  let unmarked: ReadonlyMap<OwnerKey, Unmarked> = new Map();
  let isUnderWay = false;

  const server: ServerApi = {
    ...asked,
    async heads(cluster, until) {
      const heads = await asked.heads(cluster, until);
      for (const { pipeline, entry, commit, healthy } of heads.releases)
        if (healthy) marked.set(ownerKey(pipeline, entry), commit);
      return heads;
    },
    async markHealthy(pipeline, entry, commit, until) {
      await asked.markHealthy(pipeline, entry, commit, until);
      marked.set(ownerKey(pipeline, entry), commit);
    },
  };

  function noted({ owner, release }: OwnerReport): Unmarked {
    const before = unmarked.get(owner);
    return before?.release === release ? before : { release, tryAt: now() + SETTLED_MS };
  }

  /** One after the other, as each is a write of git. */
  async function markDue(): Promise<void> {
    if (isUnderWay) return;
    isUnderWay = true;
    for (const [owner, each] of unmarked) if (each.tryAt <= now()) await mark(owner, each);
    isUnderWay = false;
  }

  async function mark(owner: OwnerKey, each: Unmarked): Promise<void> {
    const [pipeline = '', entry = ''] = owner.split('/');
    try {
      await server.markHealthy(pipeline, entry, each.release, signal);
    } catch (error) {
      if (signal.aborted) return;
      each.tryAt = now() + RETRY_MS;
      log.warn(
        { owner, release: each.release, err: error },
        'not marked healthy; it is tried again',
      );
    }
  }

  return {
    server,
    passed(owners) {
      const serving = owners.filter(
        (each) => isServing(each) && marked.get(each.owner) !== each.release,
      );
      unmarked = new Map(serving.map((each) => [each.owner, noted(each)]));
      void markDue();
    },
  };
}

/** As it was released: what was scaled by hand may serve where that does not. */
function isServing({ serving, release, suspended, overrides }: OwnerReport): boolean {
  const isScaled = overrides.some(({ kind }) => kind === 'scale');
  return serving && release !== '' && suspended === undefined && !isScaled;
}
