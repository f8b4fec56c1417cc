import type { PodTemplate } from '#core/docker/kinds.ts';
import type { LiveRecord } from '#core/docker/world.ts';
import type { Workload } from '#core/docker/workload.ts';
import { keeper } from '#core/docker/workloads.ts';
import { contentHash } from '#core/hash.ts';

/** What a StatefulSet says of its pods beside their number and template. */
export interface SetRules {
  /** Its first ordinal. */
  start: number;
  /** So many of its first pods keep the template that they have. */
  partition: number;
  /** Each pod waits for the one before it. */
  ordered: boolean;
  serviceName?: string;
  /** Names of its claim templates. */
  claims: string[];
  /** The classes that those name. */
  classes: Readonly<Record<string, string | undefined>>;
  /** When volumes of claims are deleted. */
  reclaim: { whenScaled: boolean; whenDeleted: boolean };
}

/** What a StatefulSet remembers, in its record. */
export interface SetState {
  /** The template before, until every pod is of the current one: pods below the partition are made from it. */
  before?: PodTemplate;
  /** Ordinals that it was scaled down by, whose claims go once their pods are gone. */
  reclaim?: number[];
}

/** The template that pods below the partition are made from; absent where it is the current one. */
export function templateBefore(
  workload: Workload,
  recorded: LiveRecord | undefined,
): PodTemplate | undefined {
  if (recorded === undefined) return undefined;
  const before = recorded.set?.before ?? keeper(recorded.resource).spec.template;
  const isSame = contentHash(before) === contentHash(workload.spec.template);
  return isSame ? undefined : before;
}
