import { describe, expect, it } from 'vitest';
import { referencesIn, replaceImages } from '#core/release/images.ts';

const DIGEST = 'sha256:ab12';

describe('referencesIn', () => {
  it('finds digests once each', () => {
    const text = `spec:\n  containers:\n    - image: r/hello/web@${DIGEST}\n    - name: b\n      image: r/hello/web@${DIGEST}\n    - image: nginx:1\n`;
    expect(referencesIn({ a: text })).toEqual([`r/hello/web@${DIGEST}`]);
  });
});

describe('replaceImages', () => {
  const released = [
    `r:5380/hello/web@${DIGEST}`,
    `ghcr.io/team/api@${DIGEST}`,
    `busybox@${DIGEST}`,
  ];
  it.each([
    ['web', `r:5380/hello/web@${DIGEST}`],
    ['api', `ghcr.io/team/api@${DIGEST}`],
    ['busybox:1.36', `busybox@${DIGEST}`],
    ['new', undefined],
  ])('%s', (name, reference) => {
    const images = [{ name: 'api', repository: 'ghcr.io/team/api' }];
    expect(replaceImages([name], released, ['web', 'api', 'new'], images)[name]).toBe(reference);
  });
});
