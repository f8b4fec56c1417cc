import { describe, expect, it } from 'vitest';
import { typeProblem } from '#core/docker/host-paths.ts';
import type { PathKind } from '#core/docker/host-paths.ts';
import { HostPath } from '#core/docker/kinds-volumes.ts';

describe('typeProblem', () => {
  it.each<[HostPath['type'], PathKind | undefined, string | undefined]>([
    ['', undefined, undefined],
    ['', 'socket', undefined],
    ['Directory', 'directory', undefined],
    ['Directory', undefined, 'is not a directory'],
    ['DirectoryOrCreate', 'file', 'is not a directory'],
    ['File', 'file', undefined],
    ['File', 'charDevice', 'is not a file'],
    ['FileOrCreate', 'directory', 'is not a file'],
    ['Socket', 'socket', undefined],
    ['Socket', 'other', 'is not a socket file'],
    ['CharDevice', 'blockDevice', 'is not a character device'],
    ['BlockDevice', 'blockDevice', undefined],
    ['BlockDevice', 'file', 'is not a block device'],
  ])('of type %o takes what is %s or says that it %s', (type, found, problem) => {
    const said = typeProblem({ path: '/x', type }, found);
    expect(said).toBe(problem && `hostPath type check failed: /x ${problem}`);
  });
});

describe('HostPath', () => {
  it('has no type unless it says one', () => {
    expect(HostPath.parse({ path: '/run/x' })).toEqual({ path: '/run/x', type: '' });
  });

  it.each(['data', '/srv/../etc', '/a:b', ''])('refuses the path %o', (path) => {
    expect(HostPath.safeParse({ path }).success).toBe(false);
  });
});
