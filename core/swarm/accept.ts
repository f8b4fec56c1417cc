import { acceptResources } from '#core/docker/accepts.ts';
import { describeUnknownField } from '#core/docker/unknown-field.ts';
import type { Problem } from '#core/errors.ts';
import type { FieldPath } from '#core/field-path.ts';
import { fieldsOf, typeAt } from '#core/kubernetes/fields.ts';
import type { ParsedManifests } from '#core/resources/parse.ts';
import { checkValues } from '#core/swarm/check-values.ts';
import { KINDS_NOT_ON_SWARM, SWARM_KINDS } from '#core/swarm/kinds.ts';
import { normaliseForSwarm } from '#core/swarm/normalise.ts';
import { whyNotOnSwarm } from '#core/swarm/refusals.ts';
import type { UnknownKey } from '#core/zod-problems.ts';

type Report = (path: FieldPath, message: string, hint?: string) => void;

/** Everything in the manifests that the swarm engine cannot run as Kubernetes would, with its place. */
export function acceptForSwarm(
  manifests: Pick<ParsedManifests, 'resources' | 'origins'>,
): Problem[] {
  return acceptResources(manifests, {
    engine: 'swarm',
    kinds: SWARM_KINDS,
    notRun: KINDS_NOT_ON_SWARM,
    unknownField,
    refuse,
    normalise: normaliseForSwarm,
  });
}

/** What the docker engine says of a field that neither has is true of this one, but for its name. */
function unknownField(kind: string): UnknownKey {
  const describe = describeUnknownField(kind);
  return (path, known, present) => {
    const described = describe(path, known, present);
    const isOfServers = described.message.includes('there is one server');
    const message = isOfServers
      ? 'the swarm engine does not honour this field'
      : described.message.replace('the docker engine', 'the swarm engine');
    return { ...described, message };
  };
}

function refuse(kind: string, value: unknown, report: Report): void {
  refuseFields(kind, value, [], report);
  checkValues(kind, value, report);
}

/** Looks at every field that is said, by Kubernetes' name of the type that it belongs to. */
function refuseFields(kind: string, value: unknown, path: FieldPath, report: Report): void {
  if (Array.isArray(value)) {
    value.forEach((item, index) => refuseFields(kind, item, [...path, index], report));
    return;
  }
  const type = typeAt(kind, path);
  if (type === undefined || fieldsOf(type) === undefined) return;
  if (typeof value !== 'object' || value === null) return;
  for (const [field, inner] of Object.entries(value)) {
    // A field that Kubernetes does not have is told as such.
    if (!Object.hasOwn(fieldsOf(type) ?? {}, field)) continue;
    const reason = whyNotOnSwarm(`${type}.${field}`, inner);
    if (reason === undefined) refuseFields(kind, inner, [...path, field], report);
    else report([...path, field], `the swarm engine cannot do this: ${reason}`);
  }
}
