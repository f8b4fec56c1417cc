import { expect, it } from 'vitest';
import { serverLines } from './proxy-servers.ts';

it('leads no client by cookie or number to what always seems well', () => {
  const how = ['proto h2'];
  const servers = ['web-1', 'web-2'].map((name) => ({
    name,
    address: `${name}:8080`,
    how,
    cookie: name,
  }));
  expect(serverLines(servers)).toEqual([
    '  server web-1 web-1:8080 proto h2 cookie web-1',
    '  server web-2 web-2:8080 proto h2 cookie web-2',
    '  server web-1:again web-1:8080 proto h2 id 100000 backup no-check non-stick',
    '  server web-2:again web-2:8080 proto h2 id 100001 backup no-check non-stick',
  ]);
});
