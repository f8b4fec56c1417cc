import { PODS } from '#adapters/kubernetes/pod-logs.ts';
import type { PodStatus } from '#core/engine.ts';
import type { UserError } from '#core/errors.ts';
import { cronJobOf } from '#core/kubernetes/cron-job.ts';
import { keptPod, withBackOff } from '#core/kubernetes/pod-health.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import type { KubernetesContext } from './context.ts';
import { createLastLines } from './last-lines.ts';
import { createPodWarnings } from './pod-warnings.ts';
import { readyOrNot, startWatch } from './watched.ts';
import type { Watched } from './watched.ts';

/** The pods in the namespaces where workloads are. */
export interface LivePods {
  follow(namespaces: Iterable<string>, signal: AbortSignal): Promise<void>;
  /** Why the pods of a namespace cannot be read. */
  problemIn(namespace: string): UserError | undefined;
  /** Reads, of these workloads, the last lines of what has ended badly, and events about pods that are late. */
  learn(keepers: ReadonlySet<ResourceKey>, signal: AbortSignal): Promise<void>;
  /** By the workload that keeps them; those of a CronJob's Jobs by that, too. */
  byKeeper(): Map<ResourceKey, KeptPod[]>;
  close(): void;
}

export function createLivePods(
  context: KubernetesContext,
  onNews: (what: string) => void,
): LivePods {
  const watches = new Map<string, Watched<KeptPod>>();
  const lastLines = createLastLines(context);
  const warnings = createPodWarnings(context);
  let problems: ReadonlyMap<string, UserError> = new Map();

  function all(): KeptPod[] {
    return [...watches.values()].flatMap((watched) => [...watched.all()]);
  }

  return {
    async follow(namespaces, signal) {
      const wanted = new Set(namespaces);
      for (const [namespace, watched] of watches) {
        if (wanted.has(namespace)) continue;
        watched.close();
        watches.delete(namespace);
      }
      for (const namespace of wanted) {
        if (watches.has(namespace)) continue;
        const watched = startWatch<KeptPod>(context, {
          kind: PODS,
          scope: { namespace },
          idOf: ({ metadata }) => metadata.name,
          keep: keptPod,
          isNews: (before, after) => textOf(before) !== textOf(after),
          onNews,
        });
        watches.set(namespace, watched);
      }
      problems = await readyOrNot(watches, signal);
    },
    problemIn: (namespace) => problems.get(namespace),
    async learn(keepers, signal) {
      const own = all().filter((pod) => keepersOf(pod).some((keeper) => keepers.has(keeper)));
      await lastLines.learn(own, signal);
      await warnings.learn(own, signal);
    },
    byKeeper() {
      const found = new Map<ResourceKey, KeptPod[]>();
      for (const pod of all()) {
        const told = withBackOff(warnings.told(lastLines.told(pod)));
        for (const keeper of keepersOf(pod)) {
          const others = found.get(keeper);
          if (others === undefined) found.set(keeper, [told]);
          else others.push(told);
        }
      }
      return found;
    },
    close() {
      for (const watched of watches.values()) watched.close();
    },
  };
}

function keepersOf({ owner }: KeptPod): ResourceKey[] {
  const cronJob = cronJobOf(owner);
  return cronJob === undefined ? [owner] : [owner, cronJob];
}

/** As displays show it. */
export function shownPod({
  uid: _uid,
  resourceVersion: _version,
  template: _template,
  isEnding: _isEnding,
  unschedulable: _unschedulable,
  warning: _warning,
  backingOff: _backingOff,
  ...pod
}: KeptPod): PodStatus {
  return pod;
}

function textOf(pod: KeptPod | undefined): string {
  if (pod === undefined) return '';
  const { resourceVersion: _version, ...rest } = pod;
  return JSON.stringify(rest);
}
