import { describe, expect, it } from 'vitest';
import type { LocalImage, RegistryTag } from '#core/collect.ts';
import {
  CHECKOUT_KEPT_MS,
  MIRROR_KEPT_MS,
  NAMELESS_KEPT_MS,
  planCheckoutCollection,
  planImageCollection,
  planMirrorCollection,
  planRegistryCollection,
} from '#core/collect.ts';

const NOW = 1_000_000_000_000;
const REPOSITORY = '127.0.0.1:5380/hello/web';
const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);
const KEPT = {
  tags: new Set([`${REPOSITORY}:${NEW}`]),
  references: new Set([`${REPOSITORY}@sha256:released`]),
};

function image(change: Partial<LocalImage>): LocalImage {
  return { id: 'sha256:id', tags: [], digests: [], createdAt: NOW, inUse: false, ...change };
}

describe('planImageCollection', () => {
  it.each([
    ['an old commit goes', image({ tags: [`${REPOSITORY}:${OLD}`] }), [`${REPOSITORY}:${OLD}`]],
    ['a recent commit stays', image({ tags: [`${REPOSITORY}:${NEW}`] }), []],
    [
      'an unchanged image loses its old name only',
      image({ tags: [`${REPOSITORY}:${OLD}`, `${REPOSITORY}:${NEW}`] }),
      [`${REPOSITORY}:${OLD}`],
    ],
    ['what a container uses stays', image({ tags: [`${REPOSITORY}:${OLD}`], inUse: true }), []],
    [
      'what a release names stays',
      image({ tags: [`${REPOSITORY}:${OLD}`], digests: [`${REPOSITORY}@sha256:released`] }),
      [],
    ],
    ['a name somebody gave stays', image({ tags: [`${REPOSITORY}:mine`] }), []],
    ['a young image without a name stays', image({}), []],
    [
      'an old image without a name goes',
      image({ createdAt: NOW - NAMELESS_KEPT_MS - 1 }),
      ['sha256:id'],
    ],
    [
      'an old image whose tag went on to another goes by its digests',
      image({ digests: ['a/b@sha256:1', 'c/d@sha256:1'], createdAt: 0 }),
      ['a/b@sha256:1', 'c/d@sha256:1'],
    ],
  ])('%s', (_case, each, goes) => {
    expect(planImageCollection([each], KEPT, NOW)).toEqual(goes);
  });
});

describe('planRegistryCollection', () => {
  it.each<[string, [tag: string, digest: string][], string[]]>([
    ['an old commit goes', [[OLD, 'sha256:1']], ['sha256:1']],
    ['a recent commit stays', [[NEW, 'sha256:1']], []],
    [
      'what a kept commit shares stays',
      [
        [OLD, 'sha256:1'],
        [NEW, 'sha256:1'],
      ],
      [],
    ],
    ['what a release names stays', [[OLD, 'sha256:released']], []],
    [
      'what another tag names stays',
      [
        [OLD, 'sha256:1'],
        ['latest', 'sha256:1'],
      ],
      [],
    ],
    [
      'one digest goes once',
      [
        [OLD, 'sha256:1'],
        ['c'.repeat(40), 'sha256:1'],
      ],
      ['sha256:1'],
    ],
  ])('%s', (_case, tags, goes) => {
    const all = tags.map(([tag, digest]): RegistryTag => ({ repository: REPOSITORY, tag, digest }));
    const planned = planRegistryCollection(all, KEPT);
    expect(planned).toEqual(goes.map((digest) => ({ repository: REPOSITORY, digest })));
  });
});

describe('planCheckoutCollection', () => {
  it.each([
    ['of a finished run', 'done', NOW, ['done']],
    ['of a run that goes on', 'open', NOW, []],
    ['of a run that goes on, its index', 'open.index', NOW, []],
    ['of long ago', 'open', NOW - CHECKOUT_KEPT_MS - 1, ['open']],
  ])('%s', (_case, name, usedAt, goes) => {
    expect(planCheckoutCollection([{ name, usedAt }], new Set(['open']), NOW)).toEqual(goes);
  });
});

describe('planMirrorCollection', () => {
  it.each([
    ['in use', 'abc.git', NOW - MIRROR_KEPT_MS + 1, []],
    ['unused', 'abc.git', NOW - MIRROR_KEPT_MS - 1, ['abc.git']],
    ['half a clone of today', 'abc.git.new-1', NOW, []],
    ['half a clone of old', 'abc.git.new-1', NOW - CHECKOUT_KEPT_MS - 1, ['abc.git.new-1']],
  ])('%s', (_case, name, usedAt, goes) => {
    expect(planMirrorCollection([{ name, usedAt }], NOW)).toEqual(goes);
  });
});
