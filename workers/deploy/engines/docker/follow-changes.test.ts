import { describe, expect, it } from 'vitest';
import { isOurs } from './follow-changes.ts';

const context = { cluster: 'local', installation: '0a1b2c3d' };
const labels = { 'windlass.dev/installation': '0a1b2c3d', 'windlass.dev/cluster': 'local' };

describe('isOurs', () => {
  it.each([
    ['container', 'c1', labels, true],
    ['container', 'c1', { ...labels, 'windlass.dev/cluster': 'other' }, false],
    ['container', 'c1', {}, false],
    ['network', 'n1', { name: 'local-0a1b2c3d', container: 'c1' }, true],
    ['network', 'n1', { name: 'bridge', container: 'c1' }, false],
    ['volume', 'record.ab.local-0a1b2c3d', { driver: 'local' }, true],
    ['volume', 'data', { driver: 'local' }, false],
  ])('%s %s %o: %s', (type, id, attributes, expected) => {
    const event = { Type: type, Action: 'x', Actor: { ID: id, Attributes: attributes } };
    expect(isOurs(context, event)).toBe(expected);
  });
});
