import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { messageOf, UserError } from '#core/errors.ts';
import { askPlugin } from './exec-credential.ts';
import type { ExecCredential } from './exec-credential.ts';
import type { ApiAccess, Pem } from './kubeconfig.ts';

/** Token files are written anew before they run out: a bound ServiceAccount token lives an hour. */
const TOKEN_FILE_MS = 60_000;
const EARLY_MS = 30_000;

/** What goes with a request. */
export interface Credentials {
  headers: Record<string, string | string[]>;
  tls: {
    ca?: string;
    cert?: string;
    key?: string;
    servername?: string;
    checkServerIdentity?: typeof checkServerIdentity;
    rejectUnauthorized?: false;
  };
}

export interface CredentialsSource {
  get(signal: AbortSignal): Promise<Credentials>;
  /** They were refused: they are asked for again the next time. False where they cannot become others. */
  forget(): boolean;
}

interface Read {
  credentials: Credentials;
  /** Milliseconds since the epoch. */
  until: number;
}

/** Who one is at an API server, read again as it runs out. */
export function createCredentials(
  access: ApiAccess,
  environment: Readonly<Record<string, string | undefined>>,
): CredentialsSource {
  let kept: { until: number; reading: Promise<Read> } | undefined;
  const { user } = access;
  const isFixed = user.exec === undefined && user.tokenFile === undefined;

  async function read(signal: AbortSignal): Promise<Read> {
    const plugin: ExecCredential =
      user.exec === undefined ? {} : await askPlugin(user.exec, access, environment, signal);
    const [ca, cert, key, fileToken] = await Promise.all([
      pem(access.ca),
      plugin.cert ?? pem(user.cert),
      plugin.key ?? pem(user.key),
      user.tokenFile === undefined ? undefined : textOf(user.tokenFile),
    ]);
    const token = plugin.token ?? fileToken?.trim() ?? user.token;
    const credentials = {
      headers: { ...authorization(token, user.basic), ...impersonation(user.impersonate) },
      tls: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...namedAs(access.serverName),
        ...(access.skipTlsVerify === true ? { rejectUnauthorized: false as const } : {}),
      },
    };
    const fileUntil = user.tokenFile === undefined ? Infinity : Date.now() + TOKEN_FILE_MS;
    return { credentials, until: Math.min(fileUntil, (plugin.expiresAt ?? Infinity) - EARLY_MS) };
  }

  return {
    async get(signal) {
      if (kept === undefined || Date.now() >= kept.until) {
        // Many requests at once ask once.
        kept = { until: Infinity, reading: read(signal) };
      }
      const current = kept;
      try {
        const { credentials, until } = await current.reading;
        current.until = until;
        return credentials;
      } catch (error) {
        if (kept === current) kept = undefined;
        throw error;
      }
    },
    forget() {
      kept = undefined;
      return !isFixed;
    },
  };
}

/** An address is no name that TLS may ask for (RFC 6066): the certificate is held to it all the same. */
function namedAs(name: string | undefined): Partial<Credentials['tls']> {
  if (name === undefined) return {};
  if (isIP(name) === 0) return { servername: name };
  return {
    servername: '',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
}

function authorization(
  token: string | undefined,
  basic: ApiAccess['user']['basic'],
): Record<string, string> {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (basic === undefined) return {};
  const pair = Buffer.from(`${basic.username}:${basic.password}`).toString('base64');
  return { authorization: `Basic ${pair}` };
}

function impersonation(as: ApiAccess['user']['impersonate']): Record<string, string | string[]> {
  // An empty name would be no impersonation at all: all rights of the account itself.
  if (as === undefined) return {};
  if (as.user === '') throw new UserError('invalid-input', 'the account to act as has no name');
  return {
    'impersonate-user': as.user,
    ...(as.groups.length === 0 ? {} : { 'impersonate-group': [...as.groups] }),
  };
}

async function pem(source: Pem | undefined): Promise<string | undefined> {
  if (source === undefined) return undefined;
  return 'text' in source ? source.text : textOf(source.file);
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError(
      'not-found',
      `a file that the kubeconfig names cannot be read: ${messageOf(error)}`,
      {
        hint: 'it must be readable where the deploy worker runs',
      },
    );
  }
}
