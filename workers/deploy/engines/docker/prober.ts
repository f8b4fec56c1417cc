import type {
  ContainerProbes,
  FailedProbe,
  Probe,
  Probes,
  ProbeState,
} from '#core/docker/world.ts';
import { UserError } from '#core/errors.ts';
import {
  assumeReady,
  foldProbe,
  hasGivenUp,
  hasOutlived,
  nextReadinessMs,
  type ProbeMemory,
} from './fold-probe.ts';
import { createAskContainer } from './ask-container.ts';
import type { DockerContext } from './context.ts';
import type { SandboxShell } from './sandbox-shell.ts';

/** While nothing can be probed, how soon that is tried again. */
const NO_LINE_RETRY_MS = 250;

/** A running container to probe. A restart makes it another: what was known of it is void. */
export interface Probed {
  key: string;
  id: string;
  address: string;
  /** On the host's network: its pod's sandbox, in which `localhost` is the host. */
  hostSandbox?: string;
  startedAt: number;
  probes: Probes;
  /** It got traffic when this worker first saw it. */
  served: boolean;
}

/** Probes containers on their own schedules, beside the passes. */
export interface Prober {
  setTargets(targets: readonly Probed[]): void;
  /** One more, at once; the next `setTargets` says whether it stays. Resolves when it was probed, or will not be. */
  watch(target: Probed): Promise<void>;
  /** How its probes stand; those that were not tried yet are not ok. */
  stateOf(key: string, probes: Probes, startedAt: number): ContainerProbes;
  close(): void;
}

type Kind = keyof Probes;

interface Watched {
  target: Probed;
  /** No startup probe, or it has succeeded. */
  started: boolean;
  memories: Partial<Record<Kind, ProbeMemory>>;
  timers: Partial<Record<Kind, NodeJS.Timeout>>;
  probed: PromiseWithResolvers<void>;
}

/**
 * INVARIANTS: the other probes wait for the startup probe; once a startup or liveness probe has given up, the container is
 * not probed until it has been restarted.
 */
export function createProber(
  context: DockerContext,
  shell: SandboxShell,
  onChange: (what: string) => void,
): Prober {
  const closing = new AbortController();
  const ask = createAskContainer(context, shell, closing.signal);
  const watched = new Map<string, Watched>();

  function schedule(entry: Watched, kind: Kind, probe: Probe, delayMs: number): void {
    const timer = setTimeout(() => void probeOnce(entry, kind, probe), delayMs);
    timer.unref();
    entry.timers[kind] = timer;
  }

  async function probeOnce(entry: Watched, kind: Kind, probe: Probe): Promise<void> {
    const { target } = entry;
    const result = await ask(target, probe.action, probe.timeoutSeconds);
    if (watched.get(target.key) !== entry || failedProbe(entry) !== undefined) return;
    if (result === undefined) return schedule(entry, kind, probe, NO_LINE_RETRY_MS);
    const before = entry.memories[kind];
    const memory = foldProbe(before, result, probe, Date.now());
    entry.memories[kind] = memory;
    entry.probed.resolve();
    const isOver = kind === 'startup' && memory.ok;
    if (isOver) start(entry);
    else if (kind === 'readiness' || !hasGivenUp(memory, probe))
      schedule(entry, kind, probe, pauseMs(kind, memory, probe));
    const isNews = kind !== 'liveness' && before?.ok !== memory.ok;
    if (isNews || failedProbe(entry) !== undefined) onChange(`${kind} probe: ${memory.answer}`);
  }

  function start(entry: Watched): void {
    entry.started = true;
    const { readiness, liveness } = entry.target.probes;
    if (readiness !== undefined) begin(entry, 'readiness', readiness);
    if (liveness !== undefined) begin(entry, 'liveness', liveness);
  }

  function begin(entry: Watched, kind: Kind, probe: Probe): void {
    const delayMs = probe.initialDelaySeconds * 1_000;
    const left = entry.target.startedAt + delayMs - Date.now();
    // The clock may have been set back since it started.
    schedule(entry, kind, probe, Math.max(0, Math.min(delayMs, left)));
  }

  function watch(target: Probed): Watched {
    const known = watched.get(target.key);
    if (known !== undefined) {
      known.target = target;
      return known;
    }
    const { startup, readiness } = target.probes;
    const now = Date.now();
    const probed = Promise.withResolvers<void>();
    const entry: Watched = { target, started: false, memories: {}, timers: {}, probed };
    watched.set(target.key, entry);
    if (target.served && readiness !== undefined) entry.memories.readiness = assumeReady(now);
    const hasStarted =
      target.served || startup === undefined || hasOutlived(startup, target.startedAt, now);
    if (hasStarted) start(entry);
    else begin(entry, 'startup', startup);
    return entry;
  }

  function drop({ target, timers, probed }: Watched): void {
    for (const timer of Object.values(timers)) clearTimeout(timer);
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
    stateOf(key, { startup, readiness }, startedAt) {
      const entry = watched.get(key);
      const failed = entry === undefined ? undefined : failedProbe(entry);
      const untried = {
        ok: false,
        since: startedAt,
        answer: 'not probed yet',
        unprobed: true,
      } as const;
      return {
        ...(startup === undefined || entry?.started === true
          ? {}
          : { startup: stateIn(entry?.memories.startup) ?? untried }),
        ...(readiness === undefined
          ? {}
          : { readiness: stateIn(entry?.memories.readiness) ?? untried }),
        ...(failed === undefined ? {} : { failed }),
      };
    },
    close() {
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      for (const entry of watched.values()) drop(entry);
    },
  };
}

function pauseMs(kind: Kind, memory: ProbeMemory, probe: Probe): number {
  return kind === 'readiness' ? nextReadinessMs(memory, probe) : probe.periodSeconds * 1_000;
}

/** The probe for which it is to be restarted. */
function failedProbe({ target, memories }: Watched): FailedProbe | undefined {
  for (const kind of ['startup', 'liveness'] as const) {
    const [probe, memory] = [target.probes[kind], memories[kind]];
    if (probe === undefined || memory === undefined || !hasGivenUp(memory, probe)) continue;
    const { graceSeconds } = probe;
    return {
      probe: kind,
      answer: memory.answer,
      ...(graceSeconds === undefined ? {} : { graceSeconds }),
    };
  }
  return undefined;
}

function stateIn(memory: ProbeMemory | undefined): ProbeState | undefined {
  if (memory === undefined) return undefined;
  const { ok, since, answer } = memory;
  return { ok, since, answer };
}
