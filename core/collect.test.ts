import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocalImage, RegistryImage } from '#core/collect.ts';
import {
  CHECKOUT_KEPT_MS,
  MIRROR_KEPT_MS,
  NAMELESS_KEPT_MS,
  planCheckoutCollection,
  planImageCollection,
  planLogCollection,
  planMirrorCollection,
  planRegistryCollection,
  planRunCollection,
  RUNS_MOST,
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

const aTag = fc
  .constantFrom(OLD, NEW, 'c'.repeat(40), 'latest')
  .map((tag) => `${REPOSITORY}:${tag}`);
const aReference = fc
  .constantFrom('released', '1', '2', '3')
  .map((each) => `${REPOSITORY}@sha256:${each}`);
const someKept = fc.record({
  tags: fc.uniqueArray(aTag).map((each) => new Set(each)),
  references: fc.uniqueArray(aReference).map((each) => new Set(each)),
});

it('takes no image from the engine that anything needs, and leaves none that nothing does', () => {
  const anImage = fc.record({
    id: fc.constantFrom('sha256:i', 'sha256:j'),
    tags: fc.uniqueArray(aTag),
    digests: fc.uniqueArray(aReference),
    createdAt: fc.constantFrom(0, NOW),
    inUse: fc.boolean(),
  });
  fc.assert(
    fc.property(anImage, someKept, (each, kept) => {
      const goes = planImageCollection([each], kept, NOW);
      const isNeeded = each.inUse || each.digests.some((digest) => kept.references.has(digest));
      const unneeded = each.tags.filter((tag) => !tag.endsWith(':latest') && !kept.tags.has(tag));
      const nameless = each.digests.length > 0 ? each.digests : [each.id];
      const old = each.createdAt === 0 ? nameless : [];
      const expected = each.tags.length > 0 ? unneeded : old;
      expect(goes).toEqual(isNeeded ? [] : expected);
    }),
  );
});

it('deletes no image in the registry that anything names, and leaves none that nothing does', () => {
  const anImage = fc.record({
    name: fc.option(aTag),
    digest: fc.constantFrom('sha256:released', 'sha256:1', 'sha256:2', 'sha256:3'),
  });
  fc.assert(
    fc.property(fc.array(anImage), someKept, (made, kept) => {
      const images = made.map(({ name, digest }): RegistryImage => ({
        repository: REPOSITORY,
        digest,
        ...(name === null ? {} : { tag: name.slice(REPOSITORY.length + 1) }),
      }));
      const goes = planRegistryCollection(images, kept).map(({ digest }) => digest);
      expect(goes).toEqual([...new Set(goes)]);
      for (const digest of new Set(images.map((each) => each.digest))) {
        const isNamed = made.some(
          ({ name, digest: of }) =>
            of === digest && name !== null && (name.endsWith(':latest') || kept.tags.has(name)),
        );
        const isNeeded = isNamed || kept.references.has(`${REPOSITORY}@${digest}`);
        expect(goes.includes(digest)).toBe(!isNeeded);
      }
    }),
  );
});

it('keeps the folder of every run that goes on, and every mirror in use', () => {
  const folder = fc.record({
    name: fc.constantFrom('a', 'b', 'a.x', 'b.y', 'c.git', 'c.git.new-1'),
    usedAt: fc.integer({ min: NOW - 2 * MIRROR_KEPT_MS, max: NOW }),
  });
  fc.assert(
    fc.property(fc.array(folder), fc.subarray(['a', 'b']), (folders, open) => {
      const unfinished = new Set(open);
      const checkouts = planCheckoutCollection(folders, unfinished, NOW);
      const isOpen = folders.filter(
        ({ name, usedAt }) =>
          unfinished.has(name.split('.')[0] ?? '') && NOW - usedAt <= CHECKOUT_KEPT_MS,
      );
      expect(checkouts).toHaveLength(folders.length - isOpen.length);
      const mirrors = planMirrorCollection(folders, NOW);
      const used = folders.filter(
        ({ name, usedAt }) => name.endsWith('.git') && NOW - usedAt <= MIRROR_KEPT_MS,
      );
      const young = folders.filter(
        ({ name, usedAt }) => !name.endsWith('.git') && NOW - usedAt <= CHECKOUT_KEPT_MS,
      );
      expect(mirrors).toHaveLength(folders.length - used.length - young.length);
    }),
  );
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
      'what a run has pushed and another image took the tag of goes',
      [['', 'sha256:1']],
      ['sha256:1'],
    ],
    [
      'what a run has pushed and a kept commit names stays',
      [
        ['', 'sha256:1'],
        [NEW, 'sha256:1'],
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
    const all = tags.map(([tag, digest]): RegistryImage => ({
      repository: REPOSITORY,
      digest,
      ...(tag === '' ? {} : { tag }),
    }));
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

describe('planRunCollection', () => {
  const DAY = 24 * 3_600_000;
  const run = fc.record({ age: fc.integer({ min: -DAY, max: 60 * DAY }), isOpen: fc.boolean() });
  const keep = fc.record({ runs: fc.integer({ min: 1, max: 40 }), days: fc.nat(40) });

  it('forgets none that goes on, none of the newest and none that is young', () => {
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), keep, (made, kept) => {
        const runs = made.map(({ age }, index) => ({ id: String(index), at: NOW - age }));
        const open = new Set(runs.flatMap(({ id }, index) => (made[index]?.isOpen ? [id] : [])));
        const goes = new Set(planRunCollection(runs, open, kept, NOW));
        const newest = runs.toSorted((one, other) => other.at - one.at);
        for (const [index, { id, at }] of newest.entries()) {
          const isOld = index >= kept.runs && NOW - at > kept.days * DAY;
          expect(goes.has(id)).toBe(isOld && !open.has(id));
        }
        const left = runs.filter(({ id }) => !goes.has(id));
        expect(planRunCollection(left, open, kept, NOW)).toEqual([]);
      }),
    );
  });

  it('keeps no more than it can hold, however young', () => {
    const runs = Array.from({ length: RUNS_MOST + 3 }, (_, at) => ({ id: `r${at}`, at }));
    const keeps = { runs: 100, days: 30 };
    expect(planRunCollection(runs, new Set(), keeps, RUNS_MOST)).toEqual(['r2', 'r1', 'r0']);
    expect(planRunCollection(runs, new Set(['r1']), keeps, RUNS_MOST)).toEqual(['r2', 'r0']);
  });

  it('forgets logs without a run when they are old', () => {
    const logs = [
      { id: 'known', at: 0 },
      { id: 'lost', at: NOW - 2 * DAY },
      { id: 'young', at: NOW },
    ];
    expect(planLogCollection(logs, new Set(['known']), { days: 1 }, NOW)).toEqual(['lost']);
  });
});
