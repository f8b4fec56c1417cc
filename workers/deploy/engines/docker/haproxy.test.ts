import { describe, expect, it } from 'vitest';
import type { ContainerLine } from '#adapters/docker/logs.ts';
import { judge, marked, portsIn, serversIn, withoutMark, withoutPorts } from './haproxy.ts';
import { PortTaken } from './port-taken.ts';

const config = `global
  noreuseport

defaults
  mode tcp

listen default.web:30080
  bind *:30080
  balance roundrobin
  server web-1-0 10.88.0.2:8080
  server web-1-1 10.88.0.3:8080
  server web-1-0:again 10.88.0.2:8080 id 100000 backup no-check non-stick

listen shop.api:30081
  bind *:30081
  balance roundrobin
  server api-1-0 10.88.0.4:80
`;

describe("HAProxy's configuration", () => {
  it('tells its ports and servers', () => {
    expect(portsIn(config)).toEqual([30_080, 30_081]);
    expect(serversIn(config)).toEqual(['web-1-0', 'web-1-1', 'api-1-0']);
  });

  it('can leave ports out', () => {
    const rest = withoutPorts(config, new Set([30_080]));
    expect(portsIn(rest)).toEqual([30_081]);
    expect(rest).toContain('mode tcp');
    expect(withoutPorts(config, new Set())).toBe(config);
  });

  it('keeps users that come after a port that is left out', () => {
    const users = 'userlist users.shop.auth\n  user ali password x\n';
    expect(withoutPorts(config + users, new Set([30_080, 30_081]))).toContain(users);
  });
});

const MARK = /"(.*)"/.exec(marked(config, undefined))?.[1] ?? '';
const READ = `[NOTICE]   (1) : config : parsing [/windlass/edge/haproxy.cfg:1]: '${MARK}'.`;
const RELOADING = '[NOTICE]   (1) : Reloading HAProxy';
const SUCCESS = '[NOTICE]   (1) : Loading success.';

async function* output(...lines: string[]): AsyncGenerator<ContainerLine> {
  for (const line of lines) yield { stream: 'stderr', line };
}

describe("HAProxy's verdict", () => {
  it('is of the configuration that is meant', async () => {
    expect(MARK).toMatch(/^configuration [0-9a-f]+$/);
    expect(withoutMark(marked(config, undefined))).toBe(config);
    const other = READ.replace(MARK, 'configuration 1');
    let begun = 0;
    const loaded = judge(output(RELOADING, other, SUCCESS, RELOADING, READ, SUCCESS), MARK, () => {
      begun += 1;
    });
    expect(await loaded).toBe(true);
    expect(begun).toBe(4);
  });

  it.each([
    { name: 'nothing was said', lines: [] },
    { name: 'another one was loaded', lines: [RELOADING, SUCCESS] },
    { name: 'it is still being loaded', lines: [RELOADING, READ] },
    { name: 'another one took its place', lines: [RELOADING, READ, RELOADING, SUCCESS] },
  ])('is not there while $name', async ({ lines }) => {
    expect(await judge(output(...lines), MARK, () => undefined)).toBe(false);
  });

  it('says why it was refused', async () => {
    const refused = output(
      '[ALERT]    (1) : of the one before',
      RELOADING,
      READ,
      '[ALERT]    (1) : config : parsing [/windlass/edge/haproxy.cfg:9]: unknown keyword',
      '[WARNING]  (1) : Loading failure!',
    );
    await expect(judge(refused, MARK, () => undefined)).rejects.toThrow(
      /configuration: \[ALERT\].*:9\]: unknown keyword$/,
    );
  });

  it('is another one where the worker of before had no time, whatever port it still has', async () => {
    const missed = output(
      READ,
      '[ALERT]    (1) : Failed to get the sockets from the old process!',
      '[ALERT]    (1) : Starting proxy a: cannot bind socket (Address already in use) [0.0.0.0:31491]',
      '[WARNING]  (1) : Loading failure!',
    );
    await expect(judge(missed, MARK, () => undefined)).rejects.toThrow(
      'HAProxy had no time to hand over its sockets',
    );
  });

  it('is that it loaded, where it could do without them', async () => {
    const lines = ['[ALERT]    (1) : Failed to get the sockets from the old process!', SUCCESS];
    expect(await judge(output(READ, ...lines), MARK, () => undefined)).toBe(true);
  });

  it('tells the port that somebody else has', async () => {
    const refused = output(
      READ,
      '[ALERT]    (1) : Starting proxy a: cannot bind socket (Address already in use) [0.0.0.0:31491]',
    );
    await expect(judge(refused, MARK, () => undefined)).rejects.toBeInstanceOf(PortTaken);
  });

  it('is in its own words where a port cannot be had for another reason', async () => {
    const refused = output(
      READ,
      '[ALERT]    (1) : Starting proxy a: cannot bind socket (Permission denied) [0.0.0.0:80]',
      '[WARNING]  (1) : Loading failure!',
    );
    await expect(judge(refused, MARK, () => undefined)).rejects.toThrow('Permission denied');
  });
});
