import type { ByHand, Note } from '#core/by-hand/by-hand.ts';
import type { DesiredState } from '#core/engine.ts';
import { contentHash } from '#core/hash.ts';
import type { Change, Plan } from '#core/plan/change.ts';
import { displayText } from '#core/present/display.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

const RESTARTED_AT = 'windlass.dev/restarted-at';

/** In what a workload differs from git since somebody wanted it so. */
export type Override = Note & { resource: ResourceKey } & (
    | { kind: 'scale'; replicas: number; released: number; until: number }
    | { kind: 'restart' }
  );

/** What of it holds for this release at this time. */
export function activeOverrides(
  { release, resources }: Pick<DesiredState, 'release' | 'resources'>,
  hand: ByHand | undefined,
  now: number,
): Override[] {
  const byKey = new Map(resources.map((resource) => [keyOf(resource), resource]));
  const scaled = (hand?.scaled ?? []).flatMap((each): Override[] => {
    const { release: madeFor, replicas, until, ...note } = each;
    const resource = byKey.get(each.resource);
    if (resource === undefined || madeFor !== release || until <= now) return [];
    return [{ kind: 'scale', ...note, replicas, released: replicasOf(resource), until }];
  });
  const restarted = (hand?.restarted ?? []).flatMap(({ template, ...note }): Override[] => {
    const resource = byKey.get(note.resource);
    const isSame = resource !== undefined && templateOf(resource) === template;
    return isSame ? [{ kind: 'restart', ...note }] : [];
  });
  return [...scaled, ...restarted];
}

/** The resource as the overrides have it; as kubectl does, a restart is an annotation of the pod template. */
export function override(resource: Resource, overrides: readonly Override[]): Resource {
  const key = keyOf(resource);
  return overrides.filter((each) => each.resource === key).reduce(overrideOnce, resource);
}

/** Identity of a workload's pod template as it is in git; empty where it has none. */
export function templateOf(resource: Resource): string {
  const { template } = specOf(resource);
  return template === undefined ? '' : contentHash(template);
}

export function replicasOf(resource: Resource): number {
  const { replicas } = specOf(resource);
  return typeof replicas === 'number' ? replicas : 1;
}

/** A plan whose changes tell of the overrides that they carry out or end. */
export function explainOverrides(plan: Plan, overrides: readonly Override[]): Plan {
  return plan.map((change): Change => {
    const texts = overrides
      .filter((each) => each.resource === change.key && touches(change, each))
      .map(overrideText);
    const reasons = [...(change.reason === undefined ? [] : [change.reason]), ...texts];
    return reasons.length === 0 ? change : { ...change, reason: reasons.join('; ') };
  });
}

/** In one line: what, by whom, until when and why. */
export function overrideText(each: Override): string {
  const why = each.reason === undefined ? '' : `: ${displayText(each.reason)}`;
  if (each.kind === 'restart') return `restarted by ${each.who} at ${timeText(each.at)}${why}`;
  const end = `until ${timeText(each.until)} or the next release`;
  return `scaled from ${each.released} to ${each.replicas} by ${each.who} ${end}${why}`;
}

function touches({ fields }: Change, { kind }: Override): boolean {
  const path = kind === 'scale' ? 'spec.replicas' : 'spec.template.metadata.annotations';
  return fields.some((field) => field.path.startsWith(path));
}

function overrideOnce(resource: Resource, each: Override): Resource {
  const spec = specOf(resource);
  if (each.kind === 'scale') return { ...resource, spec: { ...spec, replicas: each.replicas } };
  const { metadata, ...template } = spec.template ?? {};
  const annotations = { ...metadata?.annotations, [RESTARTED_AT]: timeText(each.at) };
  return {
    ...resource,
    spec: { ...spec, template: { metadata: { ...metadata, annotations }, ...template } },
  };
}

interface WorkloadSpec {
  replicas?: unknown;
  template?: { metadata?: { annotations?: Record<string, string> } };
}

function specOf(resource: Resource): WorkloadSpec {
  return (resource['spec'] ?? {}) as WorkloadSpec;
}

/** `2026-11-23T14:05:00Z`. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
