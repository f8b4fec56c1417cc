import { describe, expect, it } from 'vitest';
import { HealthRule, judgesOf } from '#core/kubernetes/health-rules.ts';
import { healthOf } from '#core/kubernetes/health.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';

const RULE = {
  group: 'example.org',
  kind: 'Database',
  failed: 'object.status.phase == "Broken"',
  progressing: 'object.status.phase == "Starting"',
  healthy:
    'object.status.ready + 1 > object.spec.replicas && object.status.conditions.exists(c, c.type == "Up" && c.status == "True")',
  message: '"is " + object.status.phase',
};

function database(status: object, metadata: object = {}): LiveObject {
  return {
    apiVersion: 'example.org/v1',
    kind: 'Database',
    metadata: { name: 'db', uid: 'u', resourceVersion: '1', ...metadata },
    spec: { replicas: 2 },
    status,
  };
}

const UP = [{ type: 'Up', status: 'True' }];

describe('a health rule', () => {
  it.each([
    ['well', { phase: 'Up', ready: 2, conditions: UP }, 'Healthy', ''],
    ['on its way', { phase: 'Starting', ready: 2, conditions: UP }, 'Progressing', 'is Starting'],
    ['not well yet', { phase: 'Up', ready: 1, conditions: UP }, 'Progressing', 'is Up'],
    ['broken', { phase: 'Broken' }, 'Degraded', 'is Broken'],
    [
      'without what it goes by',
      {},
      'Progressing',
      'its health rule says nothing yet: No such key: conditions',
    ],
  ])('says that one is %s', (_name, status, health, reason) => {
    const seen = healthOf(database(status), judgesOf([HealthRule.parse(RULE)]));
    expect(seen.health).toEqual({ status: health, reason });
    expect(seen.isFinal === true).toBe(health === 'Degraded');
  });

  it('is not asked of what its controller has not seen, nor of another kind', () => {
    const rules = judgesOf([HealthRule.parse({ ...RULE, healthy: 'false' })]);
    const stale = database({ phase: 'Broken', observedGeneration: 1 }, { generation: 2 });
    expect(healthOf(stale, rules).health.reason).toBe('its controller has not seen it yet');
    const other = { ...database({}), kind: 'Queue' };
    expect(healthOf(other, rules).health.status).toBe('Healthy');
  });

  it('goes before what is known of its kind', () => {
    const rule = HealthRule.parse({ kind: 'Service', healthy: 'has(object.status.address)' });
    const service = { ...database({}), apiVersion: 'v1', kind: 'Service' };
    expect(healthOf(service, judgesOf([rule])).health.status).toBe('Progressing');
  });

  it.each([
    [{ kind: 'A' }, 'must have one of failed, progressing and healthy at least'],
    [{ kind: 'A', healthy: 'object.status ==' }, 'is no expression (CEL): Unexpected token: EOF'],
    [{ kind: 'A', healthy: 'process.env.HOME == ""' }, 'Unknown variable: process'],
    [{ kind: 'A', healthy: 'size(object)' }, 'must be a bool, and is a int'],
    [{ kind: 'A', healthy: 'object.a.matches("(a+)+$")' }, 'matches() is not taken'],
    [{ kind: 'A', healthy: 'object.a.matches // of what\n ("(a+)+$")' }, 'matches() is not taken'],
    [{ kind: 'A', message: 'cel.bind(a, object.b + object.b, a + a)' }, 'cel.bind() is not taken'],
    [
      { kind: 'A', healthy: 'object.a.all(x, x.a.all(y, object.a.all(z, z == y)))' },
      'has more than 2 of all, exists, exists_one, map, filter, in within each other',
    ],
    [
      { kind: 'A', healthy: '(object.a + object.a + object.a).all(x, x == "")' },
      'all() goes over what the expression makes',
    ],
    [
      { kind: 'A', healthy: 'object.a.split("").exists(x, x == "")' },
      'exists() goes over what the expression makes',
    ],
    [
      { kind: 'A', healthy: 'object.a.map(x, x + x).all(x, x == "")' },
      'all() goes over what the expression makes',
    ],
    [{ kind: 'A', healthy: `${'('.repeat(40)}true${')'.repeat(40)}` }, 'is no expression (CEL)'],
  ])('%j is refused', (rule, told) => {
    expect(() => HealthRule.parse(rule)).toThrow(told);
  });

  it.each([
    ['object.?status.?a.orValue([]).filter(x, x.b == 1).exists(x, x.c.all(y, y == ""))'],
    ['object.status.a.map(x, x.b) == [1]'],
    ['has(object.a) && object.a.matches == "matches(a)"'],
  ])('%s is taken', (healthy) => {
    expect(HealthRule.parse({ kind: 'A', healthy }).healthy).toBe(healthy);
  });

  it.each([
    ['object.status.items.all(x, x == "a")', 40_000, 'Healthy', ''],
    ['object.status.items.all(x, x == "a")', 40_001, 'Progressing', 'a list of 40001 is too long'],
    ['object.status.items.all(x, x in ["a", "b"])', 3_000, 'Healthy', ''],
    [
      'object.status.items.all(x, x in object.status.items)',
      201,
      'Progressing',
      'a list of 201 is too long',
    ],
    [
      'object.status.items.all(x, object.status.items.exists(y, x == y))',
      201,
      'Progressing',
      'a list of 201 is too long',
    ],
    ['size(object.status.items) > 0', 50_000, 'Healthy', ''],
  ])('%s of %i items is %s', (healthy, count, status, reason) => {
    const rule = HealthRule.parse({ group: 'example.org', kind: 'Database', healthy });
    const items = Array.from({ length: count }, () => 'a');
    const { health } = healthOf(database({ items }), judgesOf([rule]));
    expect(health).toEqual({ status, reason: expect.stringContaining(reason) as string });
  });

  it.each(['failed', 'progressing'])(
    'is not well where to ask whether it is %s costs too much',
    (word) => {
      const expression = 'object.status.items.all(x, size(object.status.big) > 9000000)';
      const rule = HealthRule.parse({ group: 'example.org', kind: 'Database', [word]: expression });
      const status = { items: Array.from({ length: 100 }, () => 'a'), big: 'a'.repeat(700_000) };
      expect(healthOf(database(status), judgesOf([rule])).health).toEqual({
        status: 'Progressing',
        reason: expect.stringContaining('is too long to be read') as string,
      });
    },
  );

  it.each([
    ['object.status.items.all(x, size(object.status.big) > 0)', 100, 25_000, 'Healthy', ''],
    [
      'object.status.items.all(x, size(object.status.big) > 0)',
      100,
      25_001,
      'Progressing',
      'a text of 25001 characters is too long to be read 400 times',
    ],
    [
      'object.status.items.all(x, object.status.items.all(y, size(object.status.big) > 0))',
      100,
      1_000,
      'Progressing',
      'a text of 1000 characters is too long to be read 60000 times',
    ],
    ['size(object.status.items) < size(object.status.big)', 100, 700_000, 'Healthy', ''],
    [
      `size(${Array.from({ length: 14 }, () => 'object.status.big').join(' + ')}) > 0`,
      100,
      700_000,
      'Progressing',
      'a text of 700000 characters is too long to be read 15 times',
    ],
  ])(
    '%s of %i items with a text of %i characters is %s',
    (healthy, count, length, status, told) => {
      const rule = HealthRule.parse({ group: 'example.org', kind: 'Database', healthy });
      const items = Array.from({ length: count }, () => 'a');
      const inText = database({ items, big: 'x'.repeat(length) });
      expect(healthOf(inText, judgesOf([rule])).health).toEqual({
        status,
        reason: expect.stringContaining(told) as string,
      });
    },
  );

  it('counts the names of fields as texts', () => {
    const healthy = 'object.status.names.all(name, size(name) > 0)';
    const rule = HealthRule.parse({ group: 'example.org', kind: 'Database', healthy });
    const names = { a: 1, ['x'.repeat(5_000_000)]: 1 };
    const { health } = healthOf(database({ names }), judgesOf([rule]));
    expect(health.reason).toContain('a text of 5000000 characters');
  });
});
