import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { FoundContainer } from '#core/engine.ts';
import type { DockerContext } from './context.ts';
import type { ListedContainer } from './inspected.ts';
import { agrees, filterOurs, LABEL } from './marks.ts';
import { parseDeletingName } from './names.ts';

interface Inspected {
  Id: string;
  Name: string;
  /** RFC 3339. */
  Created: string;
  State: { Status: string };
  Config: { Image: string; Labels: Record<string, string> | null };
}

/** The container with that id, the beginning of one, or name; else one of the pod with that name. Only ours. */
export async function findContainer(
  context: DockerContext,
  reference: string,
  signal: AbortSignal,
): Promise<FoundContainer | undefined> {
  const found =
    (await inspect(context, reference, signal)) ?? (await inspectPod(context, reference, signal));
  const ours = { [LABEL.installation]: context.installation, [LABEL.cluster]: context.cluster };
  if (found === undefined || !agrees(found.Config.Labels, ours)) return undefined;
  const labels = found.Config.Labels ?? {};
  return {
    id: found.Id,
    name: parseDeletingName(found.Name.slice(1)).name,
    image: found.Config.Image,
    state: found.State.Status,
    createdAt: Date.parse(found.Created),
    role: labels[LABEL.role] ?? '',
    ...labelled('owner', labels[LABEL.owner]),
    ...labelled('resource', labels[LABEL.resource]),
    ...labelled('pod', labels[LABEL.pod]),
    ...labelled('template', labels[LABEL.templateHash]),
  };
}

async function inspect(
  context: DockerContext,
  reference: string,
  signal: AbortSignal,
): Promise<Inspected | undefined> {
  const path = `/containers/${encodeURIComponent(reference)}/json`;
  try {
    return await callDocker<Inspected>(context.docker, { method: 'GET', path, signal });
  } catch (error) {
    // 400: no name at all; 500 of some versions: several ids begin so.
    if (isStatus(error, 404) || isStatus(error, 400) || isStatus(error, 500)) return undefined;
    throw error;
  }
}

async function inspectPod(
  context: DockerContext,
  pod: string,
  signal: AbortSignal,
): Promise<Inspected | undefined> {
  const listed = await callDocker<ListedContainer[]>(context.docker, {
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters: filterOurs(context, { [LABEL.pod]: pod }) },
    signal,
  });
  const [first] = listed.toSorted(
    (one, other) => rank(one.Labels[LABEL.role]) - rank(other.Labels[LABEL.role]),
  );
  return first === undefined ? undefined : inspect(context, first.Id, signal);
}

/** A container before the sandbox that it lives in. */
function rank(role: string | undefined): number {
  return role === 'container' ? 0 : 1;
}

function labelled<Field extends string>(
  field: Field,
  value: string | undefined,
): { [each in Field]?: string } {
  return value === undefined ? {} : ({ [field]: value } as { [each in Field]: string });
}
