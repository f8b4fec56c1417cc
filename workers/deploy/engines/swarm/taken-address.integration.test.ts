import Docker from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Resource } from '#core/resources/resource.ts';
import { startGate } from '../../../../test/tools/gate.ts';
import type { Gate } from '../../../../test/tools/gate.ts';
import { createTestEngine, desire, settle, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

/** As libnetwork says it of an address that its network has given away on this server. */
const REFUSAL = { status: 403, message: 'Address already in use' };
const START = /^POST (?:\/v[\d.]+)?\/containers\/(\w+)\/start/;
const BACK_ON: Resource = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
};

let swarm: OwnSwarm;
let gate: Gate;
beforeAll(async () => {
  swarm = await startOwnSwarm();
  gate = await startGate({ path: swarm.socket.replace('unix://', '') });
});
afterAll(async () => {
  await gate?.close();
  await swarm?.stop();
});

it('makes the proxies of a server anew where Docker keeps a taken address for them', async () => {
  const tried: string[] = [];
  gate.inspect((request) => {
    const id = START.exec(request)?.[1];
    if (id === undefined) return 'pass';
    tried.push(id);
    return id === tried[0] ? REFUSAL : 'pass';
  });
  const { host, port } = gate.address;
  const engine = createTestEngine(new Docker({ host, port }));
  const failures: unknown[] = [];
  const status = await settle(engine, desire([BACK_ON]), ({ serving, failure }) => {
    failures.push(failure);
    return serving;
  });
  expect(status.serving).toBe(true);
  expect(failures.filter((failure) => failure !== undefined)).toEqual([]);
  const [first, ...others] = tried;
  expect(others.filter((id) => id === first)).toEqual([]);
  expect(others.length).toBeGreaterThan(0);
  const running = await swarm.list<{ Id: string }>('/containers/json');
  expect(running.map(({ Id }) => Id)).not.toContain(first);
  await settle(engine, desire([]));
  await engine.close();
});
