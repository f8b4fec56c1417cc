import { describe, expect, it } from 'vitest';
import { parseListing } from './tree.ts';

const OBJECT = 'a'.repeat(40);
const SUBMODULE = '160000';

describe('parseListing', () => {
  it('reads names with blanks, tabs and line ends', () => {
    const listing = `100644 blob ${OBJECT}      12\ta b\tc\nd\0${SUBMODULE} commit ${OBJECT}       -\tsub\0`;
    expect(parseListing(listing)).toEqual([
      { path: 'a b\tc\nd', mode: '100644', object: OBJECT, size: 12 },
      { path: 'sub', mode: '160000', object: OBJECT, size: 0 },
    ]);
  });

  it('finds nothing in nothing', () => {
    expect(parseListing('')).toEqual([]);
  });
});
