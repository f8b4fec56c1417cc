import { expect, it } from 'vitest';
import type { ContainerLine } from '#adapters/docker/logs.ts';
import { judgeUnbound } from './record-server.ts';

async function* output(...lines: string[]): AsyncGenerator<ContainerLine> {
  for (const line of lines) yield { stream: 'stderr', line: `[1795474516] unbound[1:0] ${line}` };
}

const STARTED = 'info: start of service (unbound 1.17.1).';

it("is unbound's verdict whether its configuration is in use", async () => {
  let begun = 0;
  const lines = output('info: service stopped (unbound 1.17.1).', STARTED);
  expect(await judgeUnbound(lines, () => (begun += 1))).toBe(true);
  expect(begun).toBe(1);
  expect(await judgeUnbound(output('notice: init module 0: iterator'), () => 0)).toBe(false);
  const wrong = output('fatal error: Could not read config file: /windlass/x.');
  await expect(judgeUnbound(wrong, () => 0)).rejects.toThrow('Could not read config file');
});
