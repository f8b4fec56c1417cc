import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { buildImage } from '../../build.ts';
import { readContext } from '../../build-context.ts';
import { callDocker } from '../../call.ts';
import { followEvents } from '../../events.ts';
import { runInContainer } from '../../exec.ts';
import { startInteractive } from '../../interactive.ts';
import { followLogs } from '../../logs.ts';
import { pullImage } from '../../pull.ts';

const NEVER = new AbortController().signal;

/** Something that Docker has under way, and would have for long. */
interface UnderWay {
  ended: Promise<unknown>;
}

/** Each begins something by `docker` and answers once it is under way. */
export const OPERATIONS: Record<string, (docker: Docker, place: Place) => Promise<UnderWay>> = {
  async pull(docker, { registry: reached }) {
    const asked = Promise.withResolvers<void>();
    // A registry that says that it is one, and then nothing any more.
    const registry = createServer(({ url }, response) => {
      if (url === '/v2/') response.end();
      else asked.resolve();
    });
    if (reached === undefined) registry.listen(0, '127.0.0.1');
    else registry.listen(reached.path);
    await once(registry, 'listening');
    const address = registry.address();
    const port = reached?.port ?? (typeof address === 'object' ? address?.port : undefined);
    const image = `127.0.0.1:${port}/team/web:1`;
    const ended = pullImage(docker, image, undefined, NEVER).finally(() => registry.close());
    await Promise.race([asked.promise, ended]);
    registry.closeAllConnections();
    return { ended };
  },

  async build(docker, { folder }) {
    const checkout = join(folder, `build-${performance.now()}`);
    await mkdir(checkout);
    await writeFile(
      join(checkout, 'Dockerfile'),
      `FROM busybox:1.36\nRUN echo ${checkout} begun; sleep 100\n`,
    );
    const begun = Promise.withResolvers<void>();
    const ended = buildImage(
      docker,
      'buildkit',
      {
        what: 'image web',
        purpose: 'image',
        context: await readContext({ checkout, context: '.', dockerfile: 'Dockerfile' }),
        contextKey: checkout,
        times: { commit: 0n, of: () => 0n },
        tag: 'windlass-test/remote:1',
        args: {},
        labels: {},
      },
      () => Promise.resolve(undefined),
      (line) => {
        if (line.endsWith('begun')) begun.resolve();
      },
      NEVER,
    );
    await Promise.race([begun.promise, ended]);
    return { ended };
  },

  async 'a command'(docker, { container }) {
    const ended = runInContainer(
      docker,
      { container, command: ['sh', '-c', 'touch /begun; sleep 100'], timeoutMs: 100_000 },
      NEVER,
    );
    const command = ['sh', '-c', 'until rm /begun; do usleep 50000; done'];
    await Promise.race([runInContainer(docker, { container, command }, NEVER), ended]);
    return { ended };
  },

  async 'a session'(docker, { container }) {
    const command = ['sh', '-c', 'echo begun; sleep 100'];
    const session = await startInteractive(docker, { container, command }, NEVER);
    const output = session.output[Symbol.asyncIterator]();
    await output.next();
    async function end(): Promise<number> {
      while ((await output.next()).done !== true);
      return session.exitCode();
    }
    return { ended: end() };
  },

  async logs(docker, { container }) {
    const lines = followLogs(docker, container, { follow: true }, NEVER);
    await lines.next();
    return { ended: drain(lines) };
  },

  events,
};

export async function events(docker: Docker): Promise<UnderWay> {
  const connected = Promise.withResolvers<void>();
  const ended = drain(followEvents(docker, {}, () => connected.resolve(), NEVER));
  await Promise.race([connected.promise, ended]);
  return { ended };
}

export interface Place {
  /** Runs, and writes a line now and then. */
  container: string;
  folder: string;
  /** A socket to which Docker comes by that port. */
  registry?: { path: string; port: number };
}

export async function startContainer(docker: Docker): Promise<string> {
  const script = 'while :; do echo tick; usleep 200000; done';
  const { Id } = await callDocker<{ Id: string }>(docker, {
    method: 'POST',
    path: '/containers/create',
    body: { Image: 'busybox:1.36', Cmd: ['sh', '-c', script], StopSignal: 'SIGKILL' },
    signal: NEVER,
  });
  await callDocker(docker, { method: 'POST', path: `/containers/${Id}/start`, signal: NEVER });
  return Id;
}

export async function removeContainer(docker: Docker, id: string): Promise<void> {
  const query = { force: true, v: true };
  await callDocker(docker, { method: 'DELETE', path: `/containers/${id}`, query, signal: NEVER });
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}
