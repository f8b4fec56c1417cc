import type { ProbeState, ReadinessProbe } from '#core/docker/world.ts';
import {
  assumeReady,
  foldProbe,
  nextProbeMs,
  type ProbeMemory,
  type ProbeResult,
} from './fold-probe.ts';
import type { SandboxShell } from './sandbox-shell.ts';

/** While nothing can be probed, how soon that is tried again. */
const NO_LINE_RETRY_MS = 250;

/** A running container to probe. A restart makes it another: what was known of it is void. */
export interface Probed {
  key: string;
  address: string;
  startedAt: number;
  probe: ReadinessProbe;
  /** It got traffic when this worker first saw it. */
  served: boolean;
}

/** Probes containers on their own schedules, beside the passes. */
export interface Prober {
  setTargets(targets: readonly Probed[]): void;
  /** One more, at once; the next `setTargets` says whether it stays. Resolves when it was probed, or will not be. */
  watch(target: Probed): Promise<void>;
  /** Absent: not probed yet. */
  stateOf(key: string): ProbeState | undefined;
  /** Whether something accepts connections there; absent where that cannot be found out. */
  canConnect(address: string, port: number): Promise<boolean | undefined>;
  close(): void;
}

interface Watched {
  target: Probed;
  memory?: ProbeMemory;
  timer?: NodeJS.Timeout;
  probed: PromiseWithResolvers<void>;
}

export function createProber(shell: SandboxShell, onChange: (what: string) => void): Prober {
  const watched = new Map<string, Watched>();

  function schedule(entry: Watched, delayMs: number): void {
    entry.timer = setTimeout(() => void probeOnce(entry), delayMs);
    entry.timer.unref();
  }

  async function probeOnce(entry: Watched): Promise<void> {
    const { target } = entry;
    const result = await shell.probe(target);
    if (watched.get(target.key) !== entry) return;
    if (result === undefined) return schedule(entry, NO_LINE_RETRY_MS);
    remember(entry, result);
  }

  function remember(entry: Watched, result: ProbeResult): void {
    const { target, memory: before } = entry;
    const memory = foldProbe(before, result, target.probe, Date.now());
    entry.memory = memory;
    entry.probed.resolve();
    schedule(entry, nextProbeMs(memory, target.probe));
    if (before?.ready !== memory.ready) onChange(`probe: ${memory.answer}`);
  }

  function watch(target: Probed): Watched {
    const known = watched.get(target.key);
    if (known !== undefined) {
      known.target = target;
      return known;
    }
    const probed = Promise.withResolvers<void>();
    const entry: Watched = target.served
      ? { target, probed, memory: assumeReady(Date.now()) }
      : { target, probed };
    watched.set(target.key, entry);
    const startsAt = target.startedAt + target.probe.initialDelaySeconds * 1_000;
    schedule(entry, Math.max(0, startsAt - Date.now()));
    return entry;
  }

  function drop({ target, timer, probed }: Watched): void {
    clearTimeout(timer);
    watched.delete(target.key);
    probed.resolve();
  }

  return {
    watch: (target) => watch(target).probed.promise,
    setTargets(targets) {
      const keys = new Set(targets.map(({ key }) => key));
      for (const [key, entry] of watched) if (!keys.has(key)) drop(entry);
      for (const target of targets) watch(target);
    },
    stateOf(key) {
      const memory = watched.get(key)?.memory;
      if (memory === undefined) return undefined;
      const { ready, since, answer } = memory;
      return { ready, since, answer };
    },
    async canConnect(address, port) {
      const result = await shell.probe({ address, probe: connectProbe(port) });
      return result?.ok;
    },
    close() {
      for (const entry of watched.values()) drop(entry);
    },
  };
}

function connectProbe(port: number): ReadinessProbe {
  return {
    kind: 'tcp',
    port,
    path: '',
    headers: {},
    initialDelaySeconds: 0,
    periodSeconds: 1,
    timeoutSeconds: 1,
    successThreshold: 1,
    failureThreshold: 1,
  };
}
