import type Docker from 'dockerode';
import { registryOf } from '#adapters/docker/credentials.ts';
import type { ReadCredentials, RegistryAuth } from '#adapters/docker/credentials.ts';
import { resolveDigest } from '#adapters/registry/resolve-digest.ts';
import type { Login } from '#core/docker/pull-secrets.ts';
import { UserError } from '#core/errors.ts';

/**
 * The login that Swarm is given for an image, of which it takes one: the first that the registry lets in, those of the pod
 * before the stored one. Where none is let in it is the first, with which the servers are told so too.
 */
export async function chooseLogin(
  docker: Docker,
  image: string,
  logins: readonly Login[],
  readCredentials: ReadCredentials,
  signal: AbortSignal,
): Promise<RegistryAuth | undefined> {
  const stored = await readCredentials(image);
  const serveraddress = registryOf(image);
  const all = [
    ...logins.map((login) => ({ ...login, serveraddress })),
    ...(stored === undefined ? [] : [stored]),
  ];
  if (all.length < 2) return all[0];
  for (const auth of all) {
    try {
      await resolveDigest(docker, image, () => Promise.resolve(auth), signal);
      return auth;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // What it says does not depend on who asks.
      if (error.code !== 'unauthorized') break;
    }
  }
  return all[0];
}
