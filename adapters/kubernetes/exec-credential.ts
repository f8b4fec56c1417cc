import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import type { ApiAccess, ExecPlugin } from './kubeconfig.ts';

const PLUGIN_MS = 30_000;
const MOST_BYTES = 1_024 * 1_024;
const run = promisify(execFile);

const Credential = z.looseObject({
  status: z.looseObject({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.iso.datetime({ offset: true }).optional(),
  }),
});

export interface ExecCredential {
  token?: string;
  cert?: string;
  key?: string;
  /** Milliseconds since the epoch; absent: until it is refused. */
  expiresAt?: number;
}

/**
 * Asks the credential plugin of a kubeconfig. It gets no terminal, and what it says goes into no error: it may be a
 * secret.
 *
 * @throws UserError `missing-tool` where the plugin is not installed, `unauthorized` where it gives nothing
 */
export async function askPlugin(
  plugin: ExecPlugin & { folder: string },
  access: Pick<ApiAccess, 'server'>,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<ExecCredential> {
  const { command, args, env, apiVersion, folder, installHint } = plugin;
  const file = command.includes('/') && !command.startsWith('/') ? join(folder, command) : command;
  const info = {
    apiVersion,
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(plugin.provideClusterInfo === true ? { cluster: { server: access.server } } : {}),
    },
  };
  try {
    const { stdout } = await run(file, args ?? [], {
      env: {
        ...environment,
        ...Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])),
        KUBERNETES_EXEC_INFO: JSON.stringify(info),
      },
      timeout: PLUGIN_MS,
      maxBuffer: MOST_BYTES,
      signal,
    });
    return credentialIn(stdout);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    const { code, killed } = error as { code?: unknown; killed?: boolean };
    if (code === 'ENOENT')
      throw new UserError('missing-tool', `the kubeconfig's plugin ${command} is not installed`, {
        hint: installHint ?? 'install it where the deploy worker runs',
        cause: error,
      });
    const how =
      killed === true ? `did not end within ${PLUGIN_MS / 1_000} s` : `failed (${String(code)})`;
    // Not with its cause, which holds what the plugin said.
    throw new UserError('unauthorized', `the kubeconfig's plugin ${command} ${how}`, {
      hint: 'run it by hand as the deploy worker does: without a terminal',
    });
  }
}

function credentialIn(text: string): ExecCredential {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = Credential.safeParse(value);
  if (!parsed.success)
    throw new UserError('unauthorized', "the kubeconfig's plugin answered no ExecCredential");
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = parsed.data.status;
  return {
    ...(token === undefined ? {} : { token }),
    ...(clientCertificateData === undefined ? {} : { cert: clientCertificateData }),
    ...(clientKeyData === undefined ? {} : { key: clientKeyData }),
    ...(expirationTimestamp === undefined ? {} : { expiresAt: Date.parse(expirationTimestamp) }),
  };
}
