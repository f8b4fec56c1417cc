import { join } from 'node:path';
import { pino } from 'pino';
import { connectDocker } from '#adapters/docker/connect.ts';
import { createImageEngine } from '#adapters/docker/image-engine.ts';
import { createMirrors } from '#adapters/git/mirror.ts';
import { resolveDigest } from '#adapters/registry/resolve-digest.ts';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRegistryGate } from '#adapters/store/registry-gate.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { Secret } from '#core/secret.ts';
import { startBuildWorker } from '../../workers/build/worker.ts';

/** A build worker in a process of its own, to be killed; its argument is JSON. */
const {
  redis: url,
  folder,
  registry,
  installation,
} = JSON.parse(process.argv[2] ?? '{}') as {
  redis: string;
  folder: string;
  registry: string;
  installation: string;
};
const docker = connectDocker('unix:///var/run/docker.sock');
const redis = connectRedis(url);

function noCredentials(): Promise<undefined> {
  return Promise.resolve(undefined);
}

startBuildWorker({
  redis,
  runs: createRunStore(redis),
  server: {
    whenUp: () => Promise.resolve(),
    storeRendered: () => Promise.reject(new Error('it should have been killed before')),
  },
  mirrors: createMirrors(join(folder, 'mirrors'), process.env),
  engine: createImageEngine(docker, noCredentials),
  gate: createRegistryGate(redis),
  resolveDigest: (image, _logins, signal) => resolveDigest(docker, image, noCredentials, signal),
  readSecret: createSecretReader({}),
  engineOf: () => Promise.resolve('docker'),
  settings: {
    installation,
    registry,
    serverUrl: 'http://127.0.0.1:1',
    workerToken: () => Promise.resolve(new Secret('token')),
    checkouts: join(folder, 'checkouts'),
    programs: process.env['PATH'] ?? '',
  },
  now: Date.now,
  log: pino({ level: 'silent' }),
});
