import type { Logger } from 'pino';
import type { ImageEngine } from '#adapters/docker/image-engine.ts';
import type { CheckedOut, Mirrors } from '#adapters/git/mirror.ts';
import type { ServerWaiter } from '#adapters/server-api/client.ts';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { EngineName } from '#core/accept.ts';
import type { Login } from '#core/docker/pull-secrets.ts';
import type { RegistryGate, RunStore, ServerApi } from '#core/ports.ts';
import type { Secret } from '#core/secret.ts';
import type { FileHistory } from './file-history.ts';

export interface BuildSettings {
  /** Marks what this installation makes. */
  installation: string;
  /** Where images go that name no repository, e.g. `127.0.0.1:5380`. */
  registry: string;
  /** Whose `/git/<pipeline>.git` holds what was pushed to Windlass itself. */
  serverUrl: string;
  workerToken: () => Promise<Secret>;
  /** Folder with a folder for each run. */
  checkouts: string;
  /** Folders with programs, as in a PATH. */
  programs: string;
}

/** All that a build needs of the world. */
export interface BuildContext {
  runs: RunStore;
  server: Pick<ServerApi, 'storeRendered'> & ServerWaiter;
  mirrors: Mirrors;
  engine: ImageEngine;
  gate: Pick<RegistryGate, 'push'>;
  /**
   * The digest a third-party tag stands for, asked with the first of the logins that is let in, or else as this host is
   * logged in; `unavailable` where its registry cannot be reached.
   */
  resolveDigest: (image: string, logins: readonly Login[], signal: AbortSignal) => Promise<string>;
  readSecret: ReadSecret;
  /** Of a declared cluster; `not-found` where it is not declared. */
  engineOf: (cluster: string) => Promise<EngineName>;
  history: FileHistory;
  settings: BuildSettings;
  /** Milliseconds since the epoch. */
  now: () => number;
  log: Logger;
}

/** A commit in a folder of its own. */
export interface Source extends CheckedOut {
  checkout: string;
  url: string;
}
