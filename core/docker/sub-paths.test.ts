import { describe, expect, it } from 'vitest';
import { VolumeMount } from '#core/docker/kinds-volumes.ts';
import { checkSubPaths, subPathOf } from '#core/docker/sub-paths.ts';

const variables = { POD: 'web-1', UP: '../x', ROOT: '/etc', NONE: '' };

function problems(subPathExpr: string): string[] {
  const said: string[] = [];
  const mounts = { volumeMounts: [{ subPathExpr }] };
  checkSubPaths(mounts, variables, ['c'], (path, message) =>
    said.push(`${path.join('.')} ${message}`),
  );
  return said;
}

describe('subPathOf', () => {
  it.each([
    [{}, {}],
    [{ subPath: '' }, {}],
    [{ subPath: 'a/$(POD)' }, { subPath: 'a/$(POD)' }],
    [{ subPathExpr: 'a/$(POD)/$$(POD)' }, { subPath: 'a/web-1/$(POD)' }],
    [{ subPathExpr: '$(NONE)' }, {}],
  ])('reads %o', (mount, expected) => {
    expect(subPathOf(mount, variables)).toEqual(expected);
  });
});

describe('checkSubPaths', () => {
  it.each([
    ['logs/$(POD)', []],
    ['$$(GONE)', []],
    ['$(GONE)', ['c.volumeMounts.0.subPathExpr the container has no variable GONE']],
    [
      'a/$(UP)',
      ["c.volumeMounts.0.subPathExpr is a/../x: it must be relative and not contain '..'"],
    ],
    ['$(ROOT)', ["c.volumeMounts.0.subPathExpr is /etc: it must be relative and not contain '..'"]],
  ])('judges %s', (text, expected) => {
    expect(problems(text)).toEqual(expected);
  });
});

describe('VolumeMount', () => {
  const mount = { name: 'data', mountPath: '/data' };

  it.each([
    { subPath: '../x' },
    { subPath: '/x' },
    { subPath: 'a/..' },
    { subPathExpr: '/$(POD)' },
    { subPath: 'a', subPathExpr: 'b' },
    { mountPath: '/a:b' },
  ])('refuses %o', (said) => {
    expect(VolumeMount.safeParse({ ...mount, ...said }).success).toBe(false);
  });

  it.each(['a..b', 'a/b', '.hidden', '.'])('takes the sub-path %s', (subPath) => {
    expect(VolumeMount.safeParse({ ...mount, subPath }).success).toBe(true);
  });
});
