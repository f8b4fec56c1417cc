import { z } from 'zod';
import { LabelName, LabelValue } from '#core/docker/kind-words.ts';
import { Selector } from '#core/docker/selectors.ts';
import { nodeLabel } from '#core/swarm/node-label.ts';
import { APPLICATIONS_LABEL, SERVER_LABEL } from '#core/swarm/servers/labels.ts';

/** Where pods may run, as far as Swarm's constraints and preferences can say it. */

const Requirement = z
  .strictObject({
    key: LabelName,
    operator: z.enum(['In', 'NotIn'], 'must be In or NotIn: Swarm compares labels with values'),
    values: z.array(LabelValue).nonempty(),
  })
  .refine(({ operator, values }) => operator === 'NotIn' || values.length === 1, {
    path: ['values'],
    message:
      'must be one: every constraint of Swarm has to be met, so there is no choice of values',
  });
type Requirement = z.infer<typeof Requirement>;

const NodeSelector = z.strictObject({
  nodeSelectorTerms: z
    .array(z.strictObject({ matchExpressions: z.array(Requirement).nonempty() }))
    .length(
      1,
      'must be one: every constraint of Swarm has to be met, so there is no choice of terms',
    ),
});

const Affinity = z.strictObject({
  nodeAffinity: z
    .strictObject({ requiredDuringSchedulingIgnoredDuringExecution: NodeSelector.optional() })
    .optional(),
});

const SpreadConstraint = z.strictObject({
  topologyKey: LabelName.refine(
    (key) => key !== 'kubernetes.io/os' && key !== 'kubernetes.io/arch',
    'must be kubernetes.io/hostname, or a label of the servers: Swarm spreads over nothing else',
  ),
  maxSkew: z.literal(1, 'must be 1: Swarm spreads tasks evenly'),
  whenUnsatisfiable: z.literal(
    'ScheduleAnyway',
    'must be ScheduleAnyway: Swarm prefers an even spread and does not insist on it',
  ),
  labelSelector: Selector.optional(),
});

/** On which servers. */
export const SelectionFields = {
  nodeSelector: z.record(LabelName, LabelValue).optional(),
  affinity: Affinity.optional(),
};

/** Fields of a pod's spec that only an engine of several servers has. */
export const PlacementFields = {
  ...SelectionFields,
  topologySpreadConstraints: z.array(SpreadConstraint).optional(),
};

export interface SaysPlacement {
  nodeSelector?: Readonly<Record<string, string>> | undefined;
  affinity?: z.infer<typeof Affinity> | undefined;
  topologySpreadConstraints?: readonly z.infer<typeof SpreadConstraint>[] | undefined;
}

export interface Placement {
  Constraints: string[];
  Preferences: { Spread: { SpreadDescriptor: string } }[];
}

/** Labels that Kubernetes gives every node, and where Swarm has them. The name of a node is that of its server. */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  'kubernetes.io/hostname': `node.labels.${SERVER_LABEL}`,
  'kubernetes.io/os': 'node.platform.os',
  'kubernetes.io/arch': 'node.platform.arch',
};

/** Where servers have not said that they take applications, as managers beside workers, none run. */
export const TAKES_APPLICATIONS = `node.labels.${APPLICATIONS_LABEL}==true`;

export function placementOf(spec: SaysPlacement): Placement {
  const selected = Object.entries(spec.nodeSelector ?? {}).map(
    ([key, value]) => `${attribute(key)}==${inSwarm(key, value)}`,
  );
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      ?.nodeSelectorTerms ?? [];
  const required = terms.flatMap(({ matchExpressions }) => matchExpressions.flatMap(constraintsOf));
  const spread = (spec.topologySpreadConstraints ?? [])
    // Over servers Swarm spreads by itself.
    .filter(({ topologyKey }) => topologyKey !== 'kubernetes.io/hostname')
    .map(({ topologyKey }) => attribute(topologyKey));
  return {
    Constraints: [TAKES_APPLICATIONS, ...selected, ...required],
    Preferences: spread.map((key) => ({ Spread: { SpreadDescriptor: key } })),
  };
}

function constraintsOf({ key, operator, values }: Requirement): string[] {
  const sign = operator === 'In' ? '==' : '!=';
  return values.map((value) => `${attribute(key)}${sign}${inSwarm(key, value)}`);
}

function attribute(key: string): string {
  return WELL_KNOWN[key] ?? `node.labels.${nodeLabel(key)}`;
}

/** Docker names architectures as the kernel does. */
function inSwarm(key: string, value: string): string {
  if (key !== 'kubernetes.io/arch') return value;
  return { amd64: 'x86_64', arm64: 'aarch64' }[value] ?? value;
}
