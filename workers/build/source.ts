import type { GitCredentials } from '#adapters/git/credentials.ts';
import { readCredentials } from '#adapters/secrets/read-credentials.ts';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { Run } from '#core/run/run.ts';
import type { BuildSettings } from './context.ts';

export interface SourceRemote {
  url: string;
  credentials?: GitCredentials;
}

/** Where the run's commit comes from: the declared remote, or the server that it was pushed to. */
export async function sourceOf(
  run: Run,
  settings: BuildSettings,
  readSecret: ReadSecret,
): Promise<SourceRemote> {
  const { url, credentials } = run.spec.source;
  if (url === undefined) {
    const password = await settings.workerToken();
    return {
      url: `${settings.serverUrl.replace(/\/$/, '')}/git/${run.pipeline}.git`,
      credentials: { kind: 'password', username: 'worker', password },
    };
  }
  const read = await readCredentials(credentials, readSecret);
  return { url, ...(read === undefined ? {} : { credentials: read }) };
}
