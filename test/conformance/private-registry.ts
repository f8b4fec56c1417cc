import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectDocker } from '#adapters/docker/connect.ts';
import { pushImage } from '#adapters/docker/push.ts';
import { startRegistry } from '../tools/registry.ts';

/** Of `secret`, by bcrypt. */
const HTPASSWD = 'ann:$2b$05$LKtzxdanmGgN0kCBUdRlAO5hCgVGqLMCZwTgDeaaJhGWNpaVnmNPO\n';
const PUSH_MS = 60_000;

export interface PrivateRegistry {
  host: string;
  /** Puts an image into it, by its name and tag. */
  push(image: string): Promise<void>;
  stop(): Promise<void>;
}

/** A registry on this machine that asks for a password; what is in it is not in the engine under that name. */
export async function startPrivateRegistry(): Promise<PrivateRegistry> {
  const docker = connectDocker('unix:///var/run/docker.sock');
  const folder = await mkdtemp(join(tmpdir(), 'windlass-private-'));
  const registry = await startRegistry(folder, undefined, HTPASSWD);
  const pushed: string[] = [];

  async function push(image: string): Promise<void> {
    const [name, tag = ''] = image.split(':');
    const target = { repository: `${registry.host}/${name}`, tag };
    const login = { username: 'ann', password: 'secret', serveraddress: registry.host };
    // An image of its own: a kubelet that has pulled one with a login asks for that login whatever the image is called.
    const container = await docker.createContainer({ Image: 'busybox:1.36' });
    await container.commit({ repo: target.repository, tag });
    await container.remove();
    await pushImage(
      docker,
      target,
      () => Promise.resolve(login),
      () => undefined,
      AbortSignal.timeout(PUSH_MS),
    );
    await docker.getImage(`${target.repository}:${tag}`).remove();
    pushed.push(`${target.repository}:${tag}`);
  }

  await push('team/web:1');
  return {
    host: registry.host,
    push,
    async stop() {
      for (const image of pushed) {
        await docker
          .getImage(image)
          .remove({ force: true })
          .catch(() => undefined);
      }
      await registry.stop();
      await rm(folder, { recursive: true });
    },
  };
}
