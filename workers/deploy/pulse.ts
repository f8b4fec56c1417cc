import type { Logger } from 'pino';
import type { ClusterPulse, ClusterStatus } from '#core/ports.ts';
import { createCorrections } from './corrections.ts';
import type { EventRecorder } from './record-events.ts';

const BEAT_MS = 10_000;

/** Signs of life of who controls a cluster, also where nothing changes on it. */
export interface Pulse {
  /** After each pass. */
  passed: EventRecorder['passed'];
  close(): void;
}

interface PulseDependencies {
  put: (pulse: ClusterPulse) => Promise<void>;
  last: Pick<ClusterStatus, 'owners'> | undefined;
  now: () => number;
  log: Logger;
}

export function startPulse({ put, last, now, log }: PulseDependencies): Pulse {
  const corrections = createCorrections(last?.owners ?? []);
  let reconciled: Pick<ClusterPulse, 'reconciledAt'> = {};
  let isUnderWay = false;

  /** One at a time: with Redis away it waits, and healing goes on. */
  async function beat(): Promise<void> {
    if (isUnderWay) return;
    isUnderWay = true;
    try {
      await put({ at: now(), ...reconciled, corrections: corrections.counts() });
    } catch (error) {
      log.warn({ err: error }, 'sign of life not given');
    } finally {
      isUnderWay = false;
    }
  }

  void beat();
  const timer = setInterval(() => void beat(), BEAT_MS);
  return {
    passed({ owners, error }, done) {
      if (error !== undefined) return;
      const isFirst = reconciled.reconciledAt === undefined;
      reconciled = { reconciledAt: now() };
      corrections.passed(owners, done);
      if (isFirst) void beat();
    },
    close: () => clearInterval(timer),
  };
}
