import { describe, expect, it } from 'vitest';
import { portsIn, serversIn, withoutPorts } from './haproxy.ts';

const config = `global
  noreuseport

defaults
  mode tcp

listen default.web:30080
  bind *:30080
  balance roundrobin
  server web-1-0 10.88.0.2:8080
  server web-1-1 10.88.0.3:8080

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
});
