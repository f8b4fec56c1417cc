import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectDocker } from '#adapters/docker/connect.ts';
import { createCredentialsReader } from '#adapters/docker/credentials.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { pullImage, pullWithAny } from '#adapters/docker/pull.ts';
import { pushImage, tagImage } from '#adapters/docker/push.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRegistry } from '../../test/tools/registry.ts';
import { startTokenDoor } from '../../test/tools/token-registry.ts';
import { createRegistryClient } from './registry-client.ts';
import { resolveDigest, resolveWithAny } from './resolve-digest.ts';

const docker = connectDocker('unix:///var/run/docker.sock');
const NEVER = new AbortController().signal;
const LOGIN = { username: 'ann', password: 'secret' };
/** Of `secret`, by bcrypt. */
const HTPASSWD = 'ann:$2b$05$LKtzxdanmGgN0kCBUdRlAO5hCgVGqLMCZwTgDeaaJhGWNpaVnmNPO\n';

describe.each(['a password', 'a token'])('a registry that asks for %s', (wanted) => {
  let folder = '';
  let registry: Running & { host: string; port: number };
  let door: { host: string; stop: () => void } | undefined;
  let image = { repository: '', tag: 'c1' };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-private-'));
    registry = await startRegistry(
      join(folder, 'registry'),
      undefined,
      wanted === 'a password' ? HTPASSWD : undefined,
    );
    if (wanted === 'a token') door = await startTokenDoor(registry, LOGIN);
    image = { repository: `${door?.host ?? registry.host}/team/web`, tag: 'c1' };
    await tagImage(docker, 'busybox:1.36', image, NEVER);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await docker.getImage(`${image.repository}:c1`).remove();
    door?.stop();
    await registry.stop();
    await rm(folder, { recursive: true });
  });

  /** What `docker login` leaves behind. */
  async function loggedIn(password: string): Promise<ReadCredentials> {
    const file = join(folder, `${password}.json`);
    const auth = Buffer.from(`${LOGIN.username}:${password}`).toString('base64');
    const host = image.repository.split('/')[0] ?? '';
    await writeFile(file, JSON.stringify({ auths: { [host]: { auth } } }));
    return createCredentialsReader(file);
  }

  function push(credentials: ReadCredentials): Promise<string> {
    return pushImage(docker, image, credentials, () => undefined, NEVER);
  }

  it('takes, resolves and gives images to those who are logged in', async () => {
    const credentials = await loggedIn(LOGIN.password);
    const digest = await push(credentials);
    expect(await resolveDigest(docker, `${image.repository}:c1`, credentials, NEVER)).toBe(digest);
    const client = createRegistryClient(credentials);
    expect(await client.tags(image.repository, NEVER)).toEqual(['c1']);
    expect(await client.digest(image.repository, 'c1', NEVER)).toBe(digest);
    await pullImage(
      docker,
      `${image.repository}@${digest}`,
      await credentials(image.repository),
      NEVER,
    );
  });

  it('gives images to the first login that is right', async () => {
    const digest = await push(await loggedIn(LOGIN.password));
    const name = `${image.repository}:c1`;
    const logins = [{ ...LOGIN, password: 'wrong' }, LOGIN];
    const none = await loggedIn('wrong');
    expect(await resolveWithAny(docker, name, logins, none, NEVER)).toBe(digest);
    const auths = logins.map((login) => ({ ...login, serveraddress: name.split('/')[0] ?? '' }));
    await pullWithAny(docker, name, auths, NEVER);
    await expect(pullWithAny(docker, name, auths.slice(0, 1), NEVER)).rejects.toThrow(
      /unauthorized|does not take the login/,
    );
  });

  it('tells who has no login that one is wanted', async () => {
    await push(await loggedIn(LOGIN.password));
    const name = `${image.repository}:c1`;
    const asking = resolveDigest(docker, name, () => Promise.resolve(undefined), NEVER);
    await expect(asking).rejects.toMatchObject({
      code: 'unauthorized',
      transient: false,
      message: expect.stringMatching(/wants a login, and none is known|unauthorized/),
    });
  });

  it('tells who has none but wrong ones that they are not taken', async () => {
    await push(await loggedIn(LOGIN.password));
    const name = `${image.repository}:c1`;
    const wrong = [{ ...LOGIN, password: 'wrong' }];
    const asking = resolveWithAny(docker, name, wrong, () => Promise.resolve(undefined), NEVER);
    await expect(asking).rejects.toThrow(/unauthorized|does not take the login/);
  });

  it('refuses a wrong password once and for all', async () => {
    const credentials = await loggedIn('wrong');
    const refused = { code: 'unauthorized', transient: false };
    await expect(push(credentials)).rejects.toMatchObject(refused);
    const asking = resolveDigest(docker, `${image.repository}:c1`, credentials, NEVER);
    await expect(asking).rejects.toMatchObject(refused);
  });

  it('takes the login from a credential helper', async () => {
    const helper = join(folder, 'docker-credential-test');
    const answer = JSON.stringify({ Username: LOGIN.username, Secret: LOGIN.password });
    await writeFile(helper, `#!/bin/sh\ncat > /dev/null\necho '${answer}'\n`);
    await chmod(helper, 0o755);
    vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
    const file = join(folder, 'helper.json');
    await writeFile(file, JSON.stringify({ credsStore: 'test' }));
    expect(await push(createCredentialsReader(file))).toMatch(/^sha256:/);
  });
});
