import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import { registryOf } from '#adapters/docker/credentials.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { resolveDigest } from '#adapters/registry/resolve-digest.ts';
import { UserError } from '#core/errors.ts';
import { MARK } from '#core/swarm/marks.ts';

interface ServiceAnswer {
  Spec: { TaskTemplate: { ContainerSpec?: { Image?: string } } };
}

/** What has no host in its name may well be there without any registry. */
const HUB = 'docker.io';

/**
 * Whether Docker on a server that is to join reaches the registries of what the swarm runs, and of what it is to run. A
 * login that is refused is no hindrance: that of the pods is not known here. Nor is a registry that the manager does not
 * reach either: it is away, be it on the servers that this one is to stand in for.
 *
 * @throws UserError `unavailable`, where it does not
 */
export async function checkPulls(
  { server, manager, wanted }: { server: Docker; manager: Docker; wanted: readonly string[] },
  readCredentials: ReadCredentials,
  signal: AbortSignal,
): Promise<void> {
  const filters = JSON.stringify({ label: [MARK.resource] });
  const services = await callDocker<ServiceAnswer[] | null>(manager, {
    method: 'GET',
    path: '/services',
    query: { filters },
    signal,
  });
  const running = (services ?? []).flatMap(
    ({ Spec }) => Spec.TaskTemplate.ContainerSpec?.Image ?? [],
  );
  const registries = new Map([...running, ...wanted].map((image) => [registryOf(image), image]));
  registries.delete(HUB);
  await Promise.all(
    [...registries].map(async ([registry, image]) => {
      const trouble = await troubleOf(server, image, readCredentials, signal);
      if (trouble === undefined) return;
      const isAway = (await troubleOf(manager, image, readCredentials, signal)) !== undefined;
      if (!isAway) throw unreached(registry, trouble);
    }),
  );
}

/** Why Docker there does not reach the image's registry; absent where it does, whatever that says. */
async function troubleOf(
  docker: Docker,
  image: string,
  readCredentials: ReadCredentials,
  signal: AbortSignal,
): Promise<UserError | undefined> {
  try {
    await resolveDigest(docker, image, readCredentials, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.code === 'unavailable' ? error : undefined;
  }
}

function unreached(registry: string, { message }: UserError): UserError {
  return new UserError(
    'unavailable',
    `it could pull nothing: ${message}. On that server, have ${registry} be reached, and its certificate trusted (/etc/docker/certs.d/${registry}/ca.crt)`,
    { transient: true },
  );
}
