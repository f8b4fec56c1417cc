import { expect, it } from 'vitest';
import { announcement } from './announce.ts';

const UP = { url: 'http://127.0.0.1:4380', adminToken: 'secret' };

it('says how to push a repository of one’s own', () => {
  const text = announcement({ ...UP, exampleUrl: undefined });
  expect(text).toContain(
    'git remote add windlass http://windlass:secret@127.0.0.1:4380/git/<name>.git',
  );
  expect(text).not.toContain('Example');
});

it('says where the example answers', () => {
  expect(announcement({ ...UP, exampleUrl: 'http://127.0.0.1:30080/' })).toContain(
    'Example      http://127.0.0.1:30080/',
  );
});
