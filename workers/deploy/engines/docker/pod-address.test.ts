import { expect, it } from 'vitest';
import { onHost, podAddress } from './pod-address.ts';

const network = { name: 'test', gateway: '10.88.0.1' };

function sandbox(mode: string, address: string): Parameters<typeof podAddress>[0] & { Id: string } {
  const limits = { Memory: 0, MemoryReservation: 0, NanoCpus: 0, CpuShares: 0 };
  return {
    Id: 's',
    HostConfig: { NetworkMode: mode, RestartPolicy: { Name: 'always' }, ...limits },
    NetworkSettings: { Networks: { [mode]: { IPAddress: address } } },
  };
}

it.each([
  ['test', '10.88.0.7', '10.88.0.7', {}],
  ['test', '', undefined, {}],
  ['host', '', '10.88.0.1', { hostSandbox: 's' }],
])('a pod on %s with address "%s" is reached at %s', (mode, address, reached, asked) => {
  expect(podAddress(sandbox(mode, address), network)).toBe(reached);
  expect(onHost(sandbox(mode, address))).toEqual(asked);
});
