import type Docker from 'dockerode';
import { callDocker, DockerError } from '#adapters/docker/call.ts';
import { registryOf } from '#adapters/docker/credentials.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { missingLogin } from '#adapters/docker/missing-login.ts';
import { messageOf, UserError } from '#core/errors.ts';

const TIMEOUT_MS = 30_000;
const DENIED = /unauthorized|denied|authentication required/i;
const UNKNOWN = /manifest unknown|not found|name unknown/i;

/** With the first of the logins that the registry lets in; else with the stored one. */
export async function resolveWithAny(
  docker: Docker,
  image: string,
  logins: readonly { username: string; password: string }[],
  credentials: ReadCredentials,
  signal: AbortSignal,
): Promise<string> {
  let refused: UserError | undefined;
  for (const login of logins) {
    const auth = { ...login, serveraddress: registryOf(image) };
    try {
      return await resolveDigest(docker, image, () => Promise.resolve(auth), signal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused = error;
    }
  }
  try {
    return await resolveDigest(docker, image, credentials, signal);
  } catch (error) {
    // That none is known would not be so.
    throw isRefusal(error) ? (refused ?? error) : error;
  }
}

function isRefusal(error: unknown): error is UserError {
  return error instanceof UserError && error.code === 'unauthorized';
}

/**
 * The digest a tag stands for, asked through the engine, which knows its mirrors, certificates and insecure
 * registries. A registry that cannot be reached is `unavailable` and transient; one that has no such image `not-found`.
 */
export async function resolveDigest(
  docker: Docker,
  image: string,
  credentials: ReadCredentials,
  signal: AbortSignal,
): Promise<string> {
  const auth = await credentials(image);
  try {
    const answer = await callDocker<{ Descriptor: { digest: string } }>(docker, {
      method: 'GET',
      path: `/distribution/${image}/json`,
      timeoutMs: TIMEOUT_MS,
      ...(auth === undefined ? {} : { auth }),
      signal,
    });
    return answer.Descriptor.digest;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DockerError)) throw error;
    throw refusal(image, error, auth !== undefined);
  }
}

function refusal(image: string, error: DockerError, wasGiven: boolean): UserError {
  const message = messageOf(error);
  const noLogin = missingLogin(image, { message, wasGiven });
  if (noLogin !== undefined)
    return new UserError('unauthorized', `${image}: ${noLogin}`, { cause: error });
  // Docker passes a token server's refusal on as an error of its own.
  const denied = error.status === 401 || error.status === 403 || DENIED.test(message);
  const isAnswer = denied || error.status < 500 || UNKNOWN.test(message);
  if (!isAnswer) {
    return new UserError('unavailable', `the registry of ${image} cannot be reached: ${message}`, {
      transient: true,
      cause: error,
    });
  }
  return new UserError(denied ? 'unauthorized' : 'not-found', `${image}: ${message}`, {
    cause: error,
    hint: denied ? 'did you `docker login` there?' : 'is its name right?',
  });
}
