import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { cleanUp, cleanUpLeft, uniqueInstallation } from './installation.ts';

const docker = connectDocker('unix:///var/run/docker.sock');

it('cleans up after a test that was killed, and after none that goes on', async () => {
  const own = uniqueInstallation();
  const script = `import { uniqueInstallation } from './test/support/installation.ts';
    process.stdout.write(uniqueInstallation());
    process.kill(process.pid, 'SIGKILL');`;
  const args = ['--input-type=module', '--eval', script];
  const left = spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout;
  try {
    for (const installation of [own, left]) await makeParts(installation);

    const said: string[] = [];
    await cleanUpLeft((line) => said.push(line));
    expect(said).toContain(`cleaned up after a test that was killed: ${left}`);
    expect(await partsOf(left)).toEqual([]);
    expect(await partsOf(own)).toHaveLength(3);
  } finally {
    await cleanUp(own);
    await cleanUp(left);
  }
  expect(await partsOf(own)).toEqual([]);
});

async function makeParts(installation: string): Promise<void> {
  const Labels = { 'windlass.dev/installation': installation };
  const name = `left-${installation}`;
  await call('POST', '/networks/create', { Name: name, Labels });
  await call('POST', '/volumes/create', { Name: name, Labels });
  const { Id } = await call<{ Id: string }>('POST', '/containers/create', {
    Image: SYSTEM_IMAGES.sandbox,
    Cmd: ['sleep', '600'],
    Labels,
    HostConfig: {
      NetworkMode: name,
      RestartPolicy: { Name: 'always' },
      Binds: [`${name}:/data`],
    },
  });
  await call('POST', `/containers/${Id}/start`);
}

async function partsOf(installation: string): Promise<object[]> {
  const filters = JSON.stringify({ label: [`windlass.dev/installation=${installation}`] });
  const containers = await call<object[]>('GET', '/containers/json', { all: true, filters });
  const networks = await call<object[]>('GET', '/networks', { filters });
  const { Volumes } = await call<{ Volumes: object[] | null }>('GET', '/volumes', { filters });
  return [...containers, ...networks, ...(Volumes ?? [])];
}

function call<T>(
  method: 'GET' | 'POST',
  path: string,
  said: Record<string, unknown> = {},
): Promise<T> {
  const signal = AbortSignal.timeout(30_000);
  const how = method === 'GET' ? { query: said as Record<string, string> } : { body: said };
  return callDocker<T>(docker, { method, path, ...how, signal });
}
