import { describe, expect, it } from 'vitest';
import { createCallReader } from './hook-call.ts';

const request = { repository: 'shop', url: 'http://127.0.0.1:4380', who: 'admin' };

describe('createCallReader', () => {
  it('reads one call after the other', () => {
    const read = createCallReader(request);
    const lines = [
      'pre-receive',
      'objects /git/shop.git/objects/tmp_objdir-incoming-1',
      'option nowait',
      'option a=b c',
      'update 00 a1 refs/heads/a b',
      'end',
      'post-receive',
      'update a1 b2 refs/heads/main',
      'end',
    ];
    expect(lines.map(read).filter((call) => call !== undefined)).toEqual([
      {
        ...request,
        phase: 'pre-receive',
        objects: '/git/shop.git/objects/tmp_objdir-incoming-1',
        pushOptions: ['nowait', 'a=b c'],
        updates: [{ before: '00', after: 'a1', ref: 'refs/heads/a b' }],
      },
      {
        ...request,
        phase: 'post-receive',
        pushOptions: [],
        updates: [{ before: 'a1', after: 'b2', ref: 'refs/heads/main' }],
      },
    ]);
  });

  it.each([[['update a b c']], [['pre-receive', 'something else']]])(
    'refuses what no hook says: %j',
    (lines) => {
      const read = createCallReader(request);
      expect(() => lines.map(read)).toThrow('is not what a hook says');
    },
  );
});
