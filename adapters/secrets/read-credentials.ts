import type { GitCredentials } from '#adapters/git/credentials.ts';
import type { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { ReadSecret } from './read-secret.ts';

/** The credentials that a source names, as git takes them; absent where it names none. */
export async function readCredentials(
  credentials: PipelineSpec['source']['credentials'],
  readSecret: ReadSecret,
): Promise<GitCredentials | undefined> {
  if (credentials === undefined) return undefined;
  if ('password' in credentials) {
    const { username, password } = credentials;
    return { kind: 'password', username, password: await readSecret(password) };
  }
  return {
    kind: 'ssh',
    key: await readSecret(credentials.sshKey),
    knownHosts: await readSecret(credentials.knownHosts),
  };
}
