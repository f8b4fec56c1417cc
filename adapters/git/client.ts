import { simpleGit } from 'simple-git';
import type { SimpleGit } from 'simple-git';
import type { Environment } from './environment.ts';

/** A git process that says nothing for so long hangs. */
const SILENCE_MS = 60_000;

export interface GitClient {
  /** Folder in which commands run: a bare repository. */
  folder: string;
  environment: Environment;
  signal: AbortSignal;
  silenceMs?: number;
}

/** simple-git with the given environment and nothing of this process's own; any exit code but 0 is an error. */
export function openGit({ folder, environment, signal, silenceMs }: GitClient): SimpleGit {
  return simpleGit({
    baseDir: folder,
    abort: signal,
    completion: { onClose: true, onExit: false },
    timeout: { block: silenceMs ?? SILENCE_MS },
    allowEnvironment: Object.keys(environment),
    // These guard against what callers pass on unseen; here the environment is built in environment.ts alone.
    unsafe: {
      allowUnsafeConfigEnvCount: true,
      allowUnsafeConfigPaths: true,
      allowUnsafeFsMonitor: true,
      allowUnsafeHooksPath: true,
      allowUnsafeSshCommand: true,
    },
    errors: (error, { exitCode, stdErr }) => {
      if (error !== undefined || exitCode === 0) return error;
      return Buffer.concat([Buffer.from(`git ended with exit code ${exitCode}\n`), ...stdErr]);
    },
  }).env(environment);
}
