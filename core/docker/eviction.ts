import type { LivePod } from '#core/docker/world.ts';

const UNITS = ['Gi', 'Mi', 'Ki'] as const;
const BYTES = { Gi: 2 ** 30, Mi: 2 ** 20, Ki: 2 ** 10 };

/** Bytes that disk volumes may hold, or hold, by name. */
export type VolumeBytes = Readonly<Record<string, number>>;

/** Why a pod has to go, in the kubelet's words; absent where its volumes hold no more than they may. */
export function overLimit(limits: VolumeBytes, used: VolumeBytes): string | undefined {
  const over = Object.entries(limits).find(([name, limit]) => (used[name] ?? 0) > limit);
  if (over === undefined) return undefined;
  const [name, limit] = over;
  return `Usage of EmptyDir volume "${name}" exceeds the limit "${quantityOf(limit)}".`;
}

/** Evicted pods as if they went already: they do not count, and their names are taken. */
export function withoutEvicted(pods: readonly LivePod[], now: number): LivePod[] {
  return pods.map((pod) => (isEvicted(pod) ? { ...pod, deletingSince: now } : pod));
}

export function isEvicted(pod: LivePod): boolean {
  return pod.evicted !== undefined && pod.deletingSince === undefined;
}

function quantityOf(bytes: number): string {
  const unit = UNITS.find((each) => bytes >= BYTES[each] && bytes % BYTES[each] === 0);
  return unit === undefined ? String(bytes) : `${bytes / BYTES[unit]}${unit}`;
}
