import { describe, expect, it } from 'vitest';
import type { ContainerLine } from '#adapters/docker/logs.ts';
import { judgeNginx, withoutListeners } from './nginx.ts';
import { PortTaken } from './port-taken.ts';

async function* output(...lines: string[]): AsyncGenerator<ContainerLine> {
  for (const line of lines) yield { stream: 'stderr', line: `2026/11/23 22:29:45 ${line}` };
}

const SIGNALLED = '[notice] 1#1: signal 1 (SIGHUP) received, reconfiguring';
const STARTED = '[notice] 1#1: start worker process 8';
const TAKEN = '[emerg] 1#1: bind() to 0.0.0.0:30053 failed (98: Address already in use)';

describe("nginx's verdict", () => {
  it('is that of the load that was asked for', async () => {
    let begun = 0;
    const lines = output(STARTED, SIGNALLED, '[notice] 1#1: reconfiguring', STARTED);
    expect(await judgeNginx(lines, () => (begun += 1))).toBe(true);
    expect(begun).toBe(1);
    expect(await judgeNginx(output('[notice] 1#1: nginx/1.22.1', STARTED), () => 0)).toBe(true);
    expect(await judgeNginx(output(STARTED), () => undefined)).toBe(false);
  });

  it('tells what is wrong, and which port somebody else has', async () => {
    const wrong = output(SIGNALLED, '[emerg] 1#1: unknown directive "listn" in /windlass/x:3');
    await expect(judgeNginx(wrong, () => undefined)).rejects.toThrow('unknown directive');
    const taken = output(SIGNALLED, TAKEN, TAKEN, '[emerg] 1#1: still could not bind()');
    await expect(judgeNginx(taken, () => undefined)).rejects.toMatchObject({ port: 30_053 });
    const again = output(SIGNALLED, TAKEN, STARTED);
    expect(await judgeNginx(again, () => undefined)).toBe(true);
    expect(new PortTaken({ port: 53, protocol: 'UDP' }).message).toContain('port 53 of UDP');
  });
});

function server(port: number): string {
  return `  server {\n    listen ${port} udp;\n    proxy_pass $flow.a:1;\n  }\n`;
}

it('leaves out what listens on a port that somebody else has', () => {
  const text = `stream {\n${server(30_053)}${server(53)}}\n`;
  expect(withoutListeners(text, new Set([53]))).toBe(`stream {\n${server(30_053)}}\n`);
  expect(withoutListeners(text, new Set())).toBe(text);
});
