import { describe, expect, it } from 'vitest';
import { checkSysctls, isSafeSysctl, sysctlName } from '#core/docker/sysctls.ts';

it.each([
  ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_rmem'],
  ['net/ipv4/tcp_rmem', 'net.ipv4.tcp_rmem'],
  ['net/ipv4/conf/eth0.1/rp_filter', 'net.ipv4.conf.eth0/1.rp_filter'],
  ['net.ipv4.conf.eth0/1.rp_filter', 'net.ipv4.conf.eth0/1.rp_filter'],
])('knows %s as %s', (name, dotted) => {
  expect(sysctlName(name)).toBe(dotted);
});

describe('isSafeSysctl', () => {
  it.each(['kernel.shm_rmid_forced', 'net/ipv4/ip_unprivileged_port_start'])(
    'is so of %s',
    (name) => {
      expect(isSafeSysctl(name)).toBe(true);
    },
  );

  it.each(['net.core.somaxconn', 'kernel.msgmax', 'vm.swappiness', ''])('is not of %s', (name) => {
    expect(isSafeSysctl(name)).toBe(false);
  });
});

it.each([
  [{}, []],
  [{ hostNetwork: true }, ['forbidden sysctl: not with hostNetwork']],
  [{ hostIPC: true }, ['forbidden sysctl: not with hostIPC']],
])('checks those of a pod that says %o', (spec, expected) => {
  const said: string[] = [];
  const sysctls = [{ name: 'kernel.shm_rmid_forced' }, { name: 'net/ipv4/tcp_rmem' }];
  checkSysctls({ ...spec, securityContext: { sysctls } }, [], (_path, message) =>
    said.push(message),
  );
  expect(said).toEqual(expected);
});
