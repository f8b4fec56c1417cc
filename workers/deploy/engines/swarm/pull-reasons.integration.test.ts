import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { connectDocker } from '#adapters/docker/connect.ts';
import { createPullReasons } from './pull-reasons.ts';

const docker = connectDocker('unix:///var/run/docker.sock');
const ANN = { username: 'ann', password: 'secret' };
const BASIC = `Basic ${Buffer.from('ann:secret').toString('base64')}`;

/** Images that a registry without one was asked for, by whom. */
const requests: { image: string; by: string | undefined }[] = [];
const registry = createServer(({ url = '', headers: { authorization } }, response) => {
  const [, image] = /^\/v2\/(.+)\/manifests\//.exec(url) ?? [];
  if (image !== undefined) requests.push({ image, by: authorization });
  const isIn = authorization === BASIC;
  const challenge = { 'WWW-Authenticate': 'Basic realm="test"' };
  const code = isIn ? 'MANIFEST_UNKNOWN' : 'UNAUTHORIZED';
  const message = isIn ? 'manifest unknown' : 'authentication required';
  if (image === undefined && isIn) return void response.end('{}');
  response.writeHead(isIn ? 404 : 401, { 'Content-Type': 'application/json', ...challenge });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    registry.listen(0, '127.0.0.1', resolve);
  });
});
afterAll(() => registry.close());

function pull(name: string, logins = [ANN]): { image: string; logins: (typeof ANN)[] } {
  return { image: `127.0.0.1:${(registry.address() as AddressInfo).port}/${name}:1`, logins };
}

function askedFor(name: string): typeof requests {
  return requests.filter(({ image }) => image === name);
}

/** Passes as the controller makes them: each look asks about all templates, and each change has it look again. */
function passing(templates: readonly string[]): {
  reasons: ReturnType<typeof createPullReasons>;
  seen: () => (string | undefined)[];
} {
  let seen: (string | undefined)[] = [];
  function look(): void {
    seen = templates.map((template) => reasons.reasonOf(template));
  }
  const reasons = createPullReasons({ docker }, () => Promise.resolve(undefined), look);
  look();
  return { reasons, seen: () => seen };
}

const UNKNOWN = expect.stringContaining('manifest unknown') as string;

it('asks once for each template that is wanted, whichever a service had before', async () => {
  const { reasons, seen } = passing(['before', 'one', 'two']);
  reasons.want(
    new Map([
      ['one', pull('one')],
      ['two', pull('two')],
    ]),
  );
  await vi.waitFor(() => expect(seen()).toEqual([undefined, UNKNOWN, UNKNOWN]), 30_000);
  const once = [askedFor('one').length, askedFor('two').length];
  for (let pass = 0; pass < 20; pass += 1) {
    reasons.reasonOf('one');
    reasons.reasonOf('two');
  }
  // Of what would have been asked again the registry had heard by the time that it answers this.
  reasons.want(
    new Map([
      ['one', pull('one')],
      ['two', pull('last')],
    ]),
  );
  reasons.reasonOf('two');
  await vi.waitFor(() => expect(reasons.reasonOf('two')).toEqual(UNKNOWN), 30_000);
  expect([askedFor('one').length, askedFor('two').length]).toEqual(once);
  reasons.close();
});

it('asks with the logins that are wanted now, and forgets what is wanted no more', async () => {
  const { reasons, seen } = passing(['private']);
  expect(seen()).toEqual([undefined]);
  expect(askedFor('private')).toEqual([]);
  reasons.want(new Map([['private', pull('private', [])]]));
  const refused = expect.stringContaining('wants a login, and none is known') as string;
  await vi.waitFor(() => expect(seen()).toEqual([refused]), 30_000);
  reasons.want(new Map([['private', pull('private')]]));
  expect(reasons.reasonOf('private')).toBeUndefined();
  await vi.waitFor(() => expect(seen()).toEqual([UNKNOWN]), 30_000);
  reasons.want(new Map());
  expect(reasons.reasonOf('private')).toBeUndefined();
  reasons.close();
});
