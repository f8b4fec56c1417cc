import { describe, expect, it } from 'vitest';
import { withFoundTasks } from '#core/swarm/found-tasks.ts';

describe('withFoundTasks', () => {
  it('finds more tasks of a service, to be asked last', () => {
    const text = withFoundTasks(`defaults
  mode tcp

listen shop.web:80
  bind 10.0.0.4:80
  server web-1a.1.x 10.0.0.5:8080
  server web-1a.2.y 10.0.0.6:8080
  server web-1a.1.x:again 10.0.0.5:8080 id 100000 backup no-check non-stick
  server web-1a.2.y:again 10.0.0.6:8080 id 100001 backup no-check non-stick

listen shop.none:80
  bind 10.0.0.7:80
`);
    expect(text).toBe(`defaults
  mode tcp

resolvers docker
  nameserver docker 127.0.0.11:53
  resolve_retries 3
  timeout resolve 500ms
  timeout retry 500ms
  hold valid 500ms
  hold nx 1s

listen shop.web:80
  bind 10.0.0.4:80
  server web-1a.1.x 10.0.0.5:8080
  server web-1a.2.y 10.0.0.6:8080
  server-template web-1a. 3 web-1a:8080 backup weight 256 resolvers docker init-addr none
  server web-1a.1.x:again 10.0.0.5:8080 id 100000 backup no-check non-stick
  server web-1a.2.y:again 10.0.0.6:8080 id 100001 backup no-check non-stick

listen shop.none:80
  bind 10.0.0.7:80
`);
  });

  it('finds those of each service, spoken to in the same way, but with no cookie', () => {
    const text = withFoundTasks(`global

backend a
  server web-1a.1.x 10.0.0.5:8080 cookie web-1a.1.x proto h2
  server web-2b.node.y 10.0.0.6:9090 cookie web-2b.node.y proto h2
`);
    expect(text).toContain(' 3 web-1a:8080 proto h2 backup weight 256 resolvers');
    expect(text).toContain(' 3 web-2b:9090 proto h2 backup weight 256 resolvers');
  });

  it('leaves alone what leads to no tasks', () => {
    const text = 'frontend windlass\n  bind *:8404\n  server edge unix@/sockets/80 send-proxy-v2\n';
    expect(withFoundTasks(text)).toBe(text);
  });
});
