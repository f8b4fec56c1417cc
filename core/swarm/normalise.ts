import { UserError } from '#core/errors.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';
import { isSwarmKind, SWARM_KINDS } from '#core/swarm/kinds.ts';

/** A resource with every default filled in, in the one form in which it is compared. */
export function normaliseForSwarm(resource: Resource): Resource {
  const schema = isSwarmKind(resource.kind) ? SWARM_KINDS[resource.kind] : undefined;
  const result = schema?.safeParse(resource);
  if (result?.success === true) return result.data as unknown as Resource;
  throw new UserError('unsupported', `${keyOf(resource)} is not something the swarm engine runs`, {
    hint: '`windlass validate` tells which field',
  });
}
