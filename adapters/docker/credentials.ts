import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, UserError } from '#core/errors.ts';

const HELPER_TIMEOUT_MS = 20_000;
const DOCKER_HUB = 'https://index.docker.io/v1/';
const NOT_FOUND = /credentials not found/i;

/** As Docker's `X-Registry-Auth` wants it. */
export interface RegistryAuth {
  username?: string;
  password?: string;
  identitytoken?: string;
  serveraddress: string;
}

/** Answers what the user has stored for the registry of an image; absent = none. */
export type ReadCredentials = (image: string) => Promise<RegistryAuth | undefined>;

const DockerConfig = z.object({
  auths: z
    .record(
      z.string(),
      z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }),
    )
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});
type DockerConfig = z.infer<typeof DockerConfig>;

/** Reads `config.json` of the Docker CLI, anew each time, so that a `docker login` counts at once. */
export function createCredentialsReader(configFile: string): ReadCredentials {
  return async function readCredentials(image) {
    const config = await readConfig(configFile);
    const registry = registryOf(image);
    const helper = config.credHelpers?.[registry] ?? config.credsStore;
    const server = registry === 'docker.io' ? DOCKER_HUB : registry;
    return (
      (helper === undefined ? undefined : await askHelper(helper, server)) ?? stored(config, server)
    );
  };
}

/** The registry's host (and port) in an image's name. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const isHost =
    rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  return isHost ? first : 'docker.io';
}

function stored(config: DockerConfig, server: string): RegistryAuth | undefined {
  const entry =
    config.auths?.[server] ??
    config.auths?.[`https://${server}`] ??
    config.auths?.[`http://${server}`];
  if (entry?.identitytoken !== undefined)
    return { identitytoken: entry.identitytoken, serveraddress: server };
  if (entry?.auth === undefined || entry.auth === '') return undefined;
  const [username = '', ...password] = Buffer.from(entry.auth, 'base64').toString().split(':');
  return { username, password: password.join(':'), serveraddress: server };
}

async function readConfig(file: string): Promise<DockerConfig> {
  let text;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw new UserError('invalid-input', `${file} cannot be read: ${messageOf(error)}`);
  }
  try {
    return DockerConfig.parse(JSON.parse(text));
  } catch (error) {
    throw new UserError('invalid-input', `${file} is not a configuration of Docker`, {
      cause: error,
      hint: 'Run docker login again, or remove the file',
    });
  }
}

function askHelper(helper: string, server: string): Promise<RegistryAuth | undefined> {
  const command = `docker-credential-${helper}`;
  return new Promise((resolve, reject) => {
    const child = execFile(command, ['get'], { timeout: HELPER_TIMEOUT_MS }, (error, stdout) => {
      if (error === null) return resolve(helperAnswer(stdout, server));
      if (NOT_FOUND.test(stdout)) return resolve(undefined);
      return reject(
        new UserError('missing-tool', `${command} failed: ${stdout.trim() || error.message}`),
      );
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(server);
  });
}

function helperAnswer(stdout: string, server: string): RegistryAuth {
  const { Username, Secret } = z
    .object({ Username: z.string(), Secret: z.string() })
    .parse(JSON.parse(stdout));
  return Username === '<token>'
    ? { identitytoken: Secret, serveraddress: server }
    : { username: Username, password: Secret, serveraddress: server };
}
