import { expect, it } from 'vitest';
import { declaredServers, parseReach } from './declared-servers.ts';

const FAR = {
  docker: 'tcp://10.0.0.2:2376',
  tls: { ca: { file: '/ca' }, cert: { file: '/cert' }, key: { env: 'KEY' } },
};

it('keeps how a server is reached, to be read again', () => {
  const [server] = declaredServers([
    { name: 'far', role: 'worker', advertise: '10.0.0.2', ...FAR },
  ]);
  expect(parseReach(server?.reach ?? '')).toEqual(FAR);
});

it.each(['', 'null', '{"docker":1}', '{"docker":"nowhere"}', '{"docker":"unix:///a","more":1}'])(
  'refuses %s',
  (text) => expect(() => parseReach(text)).toThrow('does not say how a server is reached'),
);
