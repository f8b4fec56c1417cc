import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '#core/base64.ts';
import { DownwardApi, Projected } from '#core/docker/kinds-volumes.ts';
import { filesOf } from '#core/docker/volume-files.ts';
import type { FileScope } from '#core/docker/volume-files.ts';

const scope: FileScope = {
  pod: {
    name: 'web-1',
    namespace: 'shop',
    labels: { tier: 'front', app: 'web' },
    annotations: { note: 'say "hi"' },
  },
  containers: [{ name: 'web', resources: { limits: { memory: 64 * 2 ** 20 } } }],
  contentOf: (kind, name) => ({
    a: encodeBase64(`${kind} ${name} a`),
    b: encodeBase64(`${kind} ${name} b`),
  }),
};

function read(volume: object): Record<string, string> {
  const { sources, defaultMode } = Projected.parse(volume);
  return Object.fromEntries(
    Object.entries(filesOf(sources, defaultMode, scope)).map(([path, { content, mode }]) => [
      path,
      `${mode.toString(8)} ${decodeBase64(content)}`,
    ]),
  );
}

describe('filesOf', () => {
  it('puts all sources in one folder, and the later one where paths meet', () => {
    expect(
      read({
        sources: [
          { configMap: { name: 'one' } },
          {
            secret: {
              name: 'two',
              items: [
                { key: 'b', path: 'b' },
                { key: 'a', path: 'in/a', mode: 0o400 },
              ],
            },
          },
        ],
        defaultMode: 0o600,
      }),
    ).toEqual({ a: '600 ConfigMap one a', b: '600 Secret two b', 'in/a': '400 Secret two a' });
  });

  it('tells a pod of itself', () => {
    const items = [
      { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
      { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
      { path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } },
      {
        path: 'limit',
        resourceFieldRef: { containerName: 'web', resource: 'limits.memory', divisor: '1Mi' },
      },
    ];
    expect(read({ sources: [{ downwardAPI: { items } }] })).toEqual({
      name: '644 web-1',
      labels: '644 app="web"\ntier="front"',
      annotations: '644 note="say \\"hi\\""',
      limit: '644 64',
    });
  });

  it.each([
    { path: 'x' },
    { path: '../x', fieldRef: { fieldPath: 'metadata.name' } },
    { path: 'x', fieldRef: { fieldPath: 'status.podIP' } },
    { path: 'x', resourceFieldRef: { resource: 'limits.cpu' } },
  ])('refuses %j', (item) => {
    expect(DownwardApi.safeParse({ items: [item] }).success).toBe(false);
  });
});
