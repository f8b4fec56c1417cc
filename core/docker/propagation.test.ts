import { describe, expect, it } from 'vitest';
import { checkPropagation, propagationOf } from '#core/docker/propagation.ts';

describe('propagationOf', () => {
  it.each([
    [undefined, {}],
    ['None', {}],
    ['HostToContainer', { propagation: 'fromHost' }],
    ['Bidirectional', { propagation: 'both' }],
  ] as const)('reads %s', (mountPropagation, expected) => {
    expect(propagationOf({ mountPropagation })).toEqual(expected);
  });
});

describe('checkPropagation', () => {
  const volumes = [{ name: 'host', hostPath: { path: '/', type: '' as const } }, { name: 'own' }];

  it.each([
    ['host', 'HostToContainer', false, []],
    ['host', 'Bidirectional', true, []],
    ['own', 'None', false, []],
    ['own', 'HostToContainer', false, ['Docker shares mounts of a hostPath only']],
    ['host', 'Bidirectional', false, ['Bidirectional is for privileged containers only']],
  ] as const)('of %s judges %s, privileged %o', (name, mountPropagation, privileged, expected) => {
    const said: string[] = [];
    const container = {
      volumeMounts: [{ name, mountPropagation }],
      securityContext: { privileged },
    };
    checkPropagation(container, volumes, [], (_path, message) => said.push(message));
    expect(said).toEqual(expected);
  });
});
