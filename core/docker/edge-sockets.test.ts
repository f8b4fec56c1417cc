import { expect, it } from 'vitest';
import { behindSockets } from '#core/docker/edge-sockets.ts';

const EDGE = {
  haproxy: `listen shop.web:30080
  bind *:30080
  tcp-request connection reject if !{ src 10.0.0.0/8 }
  server web-1 10.0.0.2:8080

frontend ingress.https
  bind *:443 ssl strict-sni alpn h2,http/1.1 crt /windlass/edge/tls-a.pem
`,
  scripts: [],
  certificates: [{ file: 'tls-a.pem' }],
  users: [],
  ports: [30_080, 443],
  hash: 'h',
};

it('has the edge listen on sockets, and the ports of the host lead there and tell who asks', () => {
  const { haproxy, front = '', ...others } = behindSockets(EDGE);
  expect(haproxy).toContain('  bind unix@/windlass-sockets/30080 accept-proxy\n');
  expect(haproxy).toContain('  bind unix@/windlass-sockets/443 accept-proxy ssl strict-sni ');
  expect(haproxy).toContain('  tcp-request session reject if !{ src 10.0.0.0/8 }\n');
  expect(haproxy).not.toContain('*:');
  expect(front).toContain(`listen port.443
  bind *:443
  server edge unix@/windlass-sockets/443 send-proxy-v2
`);
  expect(front).toContain('  bind *:30080\n');
  const { haproxy: _text, ...same } = EDGE;
  expect(others).toEqual(same);
});
