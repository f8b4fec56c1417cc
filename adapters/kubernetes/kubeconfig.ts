import { isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import { suggestion } from '#core/suggest.ts';

const ClusterFields = z.looseObject({
  server: z.url({ protocol: /^https?$/ }),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': z.string().optional(),
  'proxy-url': z.string().optional(),
});

const ExecPlugin = z.looseObject({
  apiVersion: z.string(),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  installHint: z.string().optional(),
  provideClusterInfo: z.boolean().optional(),
});
export type ExecPlugin = z.infer<typeof ExecPlugin>;

const UserFields = z.looseObject({
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  exec: ExecPlugin.optional(),
  'auth-provider': z.unknown().optional(),
  as: z.string().optional(),
  'as-groups': z.array(z.string()).optional(),
});

const Config = z.looseObject({
  'current-context': z.string().optional(),
  clusters: z.array(z.object({ name: z.string(), cluster: ClusterFields })).nullish(),
  contexts: z
    .array(
      z.object({
        name: z.string(),
        context: z.looseObject({ cluster: z.string(), user: z.string() }),
      }),
    )
    .nullish(),
  users: z.array(z.object({ name: z.string(), user: UserFields.nullish() })).nullish(),
});

/** PEM itself, or the file where it is. */
export type Pem = { text: string } | { file: string };

/** Where an API server is, and who one is there. */
export interface ApiAccess {
  server: string;
  ca?: Pem;
  skipTlsVerify?: boolean;
  /** As which its certificate is checked, where that is not the host of `server`. */
  serverName?: string;
  user: {
    cert?: Pem;
    key?: Pem;
    token?: string;
    tokenFile?: string;
    basic?: { username: string; password: string };
    exec?: ExecPlugin & { folder: string };
    impersonate?: { user: string; groups: readonly string[] };
  };
}

/**
 * Reads one context of a kubeconfig. Relative paths in it are taken from `folder`.
 *
 * @throws UserError `invalid-input` with the field, `not-found` for a context that it does not have
 */
export function parseKubeconfig(text: string, folder: string, wanted?: string): ApiAccess {
  const config = readConfig(text);
  const context = wanted ?? config['current-context'] ?? '';
  const contexts = config.contexts ?? [];
  const found = contexts.find(({ name }) => name === context)?.context;
  if (found === undefined)
    throw notThere(
      context === ''
        ? 'the kubeconfig has no current-context'
        : `the kubeconfig has no context ${context}`,
      context,
      contexts,
    );
  const clusters = config.clusters ?? [];
  const cluster = clusters.find(({ name }) => name === found.cluster)?.cluster;
  if (cluster === undefined)
    throw notThere(`the kubeconfig has no cluster ${found.cluster}`, found.cluster, clusters);
  const users = config.users ?? [];
  const user = users.find(({ name }) => name === found.user);
  if (user === undefined)
    throw notThere(`the kubeconfig has no user ${found.user}`, found.user, users);
  return accessOf(cluster, user.user ?? {}, folder);
}

function readConfig(text: string): z.infer<typeof Config> {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    // The parser quotes what it read, which may be a key.
    throw new UserError('invalid-input', 'the kubeconfig is not YAML', { cause: error });
  }
  const parsed = Config.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError(
    'invalid-input',
    `the kubeconfig is not right: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
  );
}

function accessOf(
  cluster: z.infer<typeof ClusterFields>,
  user: z.infer<typeof UserFields>,
  folder: string,
): ApiAccess {
  if (cluster['proxy-url'] !== undefined)
    throw new UserError('unsupported', 'the kubeconfig has proxy-url, which is not supported', {
      hint: 'reach the API server without a proxy',
    });
  if (user['auth-provider'] !== undefined)
    throw new UserError(
      'unsupported',
      'the kubeconfig has an auth-provider, which Kubernetes has removed',
      {
        hint: 'use an exec plugin, a token or a client certificate',
      },
    );
  const ca = pemOf(cluster['certificate-authority-data'], cluster['certificate-authority'], folder);
  const cert = pemOf(user['client-certificate-data'], user['client-certificate'], folder);
  const key = pemOf(user['client-key-data'], user['client-key'], folder);
  const { token, tokenFile, username, password, exec, as } = user;
  return {
    server: cluster.server.replace(/\/+$/, ''),
    ...(ca === undefined ? {} : { ca }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { skipTlsVerify: true } : {}),
    ...(cluster['tls-server-name'] === undefined ? {} : { serverName: cluster['tls-server-name'] }),
    user: {
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(token === undefined ? {} : { token }),
      ...(tokenFile === undefined ? {} : { tokenFile: inside(folder, tokenFile) }),
      ...(username === undefined ? {} : { basic: { username, password: password ?? '' } }),
      ...(exec === undefined ? {} : { exec: { ...exec, folder } }),
      ...(as === undefined ? {} : { impersonate: { user: as, groups: user['as-groups'] ?? [] } }),
    },
  };
}

function pemOf(
  data: string | undefined,
  file: string | undefined,
  folder: string,
): Pem | undefined {
  if (data !== undefined) return { text: Buffer.from(data, 'base64').toString('utf8') };
  return file === undefined ? undefined : { file: inside(folder, file) };
}

function inside(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function notThere(message: string, name: string, among: readonly { name: string }[]): UserError {
  const names = among.map((each) => each.name);
  return new UserError('not-found', message, {
    hint:
      suggestion(name, names) ??
      (names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`),
  });
}
