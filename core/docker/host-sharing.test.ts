import { describe, expect, it } from 'vitest';
import { checkSharing, Flag, sharingOf } from '#core/docker/host-sharing.ts';

describe('what a pod shares', () => {
  it.each([
    [{}, { hostNetwork: false, hostIpc: false, processes: 'container' }],
    [{ shareProcessNamespace: true }, { processes: 'pod' }],
    [{ hostPID: true }, { processes: 'host' }],
    [
      { hostNetwork: true, hostIPC: true },
      { hostNetwork: true, hostIpc: true },
    ],
  ] as const)('of %j is %j', (spec, sharing) => {
    expect(sharingOf({ ...spec })).toMatchObject(sharing);
  });

  it('is refused where two things exclude each other', () => {
    const paths: string[] = [];
    const spec = { hostPID: true, shareProcessNamespace: true } as const;
    checkSharing(spec, ['spec'], (path) => paths.push(path.join('.')));
    expect(paths).toEqual(['spec.shareProcessNamespace']);
  });

  it('is the same where false is said and where nothing is', () => {
    expect([false, undefined, true].map((flag) => Flag.parse(flag))).toEqual([
      undefined,
      undefined,
      true,
    ]);
  });
});
