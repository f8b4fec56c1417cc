import { z } from 'zod';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { registryOf } from '#adapters/docker/credentials.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { answerChallenge, parseChallenge } from './authorize.ts';

const TIMEOUT_MS = 30_000;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const Tags = z.object({ tags: z.array(z.string()).nullable() });

/** What is kept in a registry, by repository as in an image's name (`127.0.0.1:5380/hello/web`). */
export interface RegistryClient {
  /** None where the repository does not exist. */
  tags(repository: string, signal: AbortSignal): Promise<string[]>;
  /** The digest of a tag; absent where there is none. */
  digest(repository: string, tag: string, signal: AbortSignal): Promise<string | undefined>;
  /** Deletes a manifest with every tag that names it; false where the registry does not allow it. */
  deleteManifest(repository: string, digest: string, signal: AbortSignal): Promise<boolean>;
}

/** Speaks the Registry HTTP API v2: plain HTTP to this machine, as Docker does, and HTTPS to all others. */
export function createRegistryClient(credentials: ReadCredentials): RegistryClient {
  async function ask(
    method: string,
    repository: string,
    path: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const host = registryOf(repository);
    const name = repository.slice(host.length + 1);
    const url = `${LOOPBACK.test(host) ? 'http' : 'https'}://${host}/v2/${name}/${path}`;
    const ends = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const headers = { accept: `${MANIFESTS}, application/json` };
    try {
      const response = await fetch(url, { method, headers, signal: ends });
      const challenge = parseChallenge(response.headers.get('www-authenticate') ?? '');
      if (response.status !== 401 || challenge === undefined) return response;
      await response.body?.cancel();
      const answer = await answerChallenge(challenge, await credentials(repository), ends);
      if (answer === undefined) return response;
      return await fetch(url, {
        method,
        headers: { ...headers, authorization: answer },
        signal: ends,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof UserError) throw error;
      throw new UserError(
        'unavailable',
        `the registry ${host} cannot be reached: ${reasonOf(error)}`,
        {
          transient: true,
          cause: error,
        },
      );
    }
  }

  return {
    tags: async (repository, signal) => {
      const response = await ask('GET', repository, 'tags/list', signal);
      if (response.status === 404) return [];
      await checkOk(response, `listing the tags of ${repository}`);
      return Tags.parse(await response.json()).tags ?? [];
    },
    digest: async (repository, tag, signal) => {
      const response = await ask('HEAD', repository, `manifests/${tag}`, signal);
      if (response.status === 404) return undefined;
      await checkOk(response, `asking for ${repository}:${tag}`);
      return response.headers.get('docker-content-digest') ?? undefined;
    },
    deleteManifest: async (repository, digest, signal) => {
      const response = await ask('DELETE', repository, `manifests/${digest}`, signal);
      if (response.status === 405) return false;
      if (response.status !== 404) await checkOk(response, `deleting ${repository}@${digest}`);
      return true;
    },
  };
}

async function checkOk(response: Response, what: string): Promise<void> {
  if (response.ok) return;
  const text = (await response.text()).slice(0, 300);
  const denied = response.status === 401 || response.status === 403;
  throw new UserError(
    denied ? 'unauthorized' : 'unavailable',
    `${what}: ${response.status} ${text}`,
    {
      transient: response.status >= 500 || response.status === 429,
    },
  );
}

/** fetch hides what went wrong in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return messageOf(cause ?? error);
}
