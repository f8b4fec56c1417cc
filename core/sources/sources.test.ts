import { describe, expect, it } from 'vitest';
import { Helm } from '#core/declarations/pipeline.ts';
import { helmArguments } from '#core/sources/helm.ts';
import { isRemote, namedIn } from '#core/sources/kustomization.ts';
import { parseSource } from '#core/sources/parse-source.ts';
import { helmFiles, kustomizeFiles } from '#core/sources/rendered-files.ts';

const POD = `apiVersion: v1
kind: Pod
metadata: { name: web }
spec: { containers: [{ name: web, image: "web:windlass" }, { name: db, image: "db:windlass" }] }
`;

describe('helmArguments', () => {
  it.each([
    { name: 'of little', helm: {}, values: [], rest: [] },
    {
      name: 'of everything',
      helm: { hooks: false, network: true, kubeVersion: '1.36', apiVersions: ['a/v1', 'b/v1'] },
      values: ['/a.yaml', '/b,c.yaml', '/d"e.yaml'],
      rest: [
        '--no-hooks',
        '--dependency-update',
        '--kube-version=1.36',
        '--api-versions=a/v1',
        '--api-versions=b/v1',
        '--values=/a.yaml',
        '--values="/b,c.yaml"',
        '--values="/d""e.yaml"',
      ],
    },
  ])('$name', ({ helm, values, rest }) => {
    const parsed = Helm.parse({ chart: 'web', namespace: 'shop', ...helm });
    expect(helmArguments(parsed, 'blue', { chart: '/web', values })).toEqual([
      'template',
      'blue',
      '/web',
      '--namespace=shop',
      '--include-crds',
      '--skip-tests',
      ...rest,
    ]);
  });
});

describe('what was rendered', () => {
  it('by Helm is told by template', () => {
    const printed = `---
# Source: web/templates/a.yaml
kind: A
---
# Source: web/templates/b.yaml
kind: B
---
# Source: web/templates/a.yaml
text: |
  ---
  # Source: not this
`;
    expect(helmFiles(printed)).toEqual([
      {
        path: 'web/templates/a.yaml (as rendered)',
        text: '# Source: web/templates/a.yaml\nkind: A\n---\n# Source: web/templates/a.yaml\ntext: |\n  ---\n  # Source: not this\n',
      },
      {
        path: 'web/templates/b.yaml (as rendered)',
        text: '# Source: web/templates/b.yaml\nkind: B\n',
      },
    ]);
  });

  it('by Kustomize is told by document', () => {
    expect(kustomizeFiles('deploy', 'kind: A\n---\nkind: B\n')).toEqual([
      { path: 'deploy (document 1 as rendered)', text: 'kind: A\n' },
      { path: 'deploy (document 2 as rendered)', text: 'kind: B\n' },
    ]);
  });

  it('is nothing where nothing was printed', () => {
    expect(helmFiles('')).toEqual([]);
    expect(kustomizeFiles('deploy', '\n')).toEqual([]);
  });
});

describe('parseSource', () => {
  it('names images of the pipeline, and no others, by the tag that stands for them', () => {
    const { resources } = parseSource([{ path: 'a.yaml', text: POD }], { images: ['web'] });
    expect(resources[0]?.['spec']).toEqual({
      containers: [
        { name: 'web', image: 'web' },
        { name: 'db', image: 'db:windlass' },
      ],
    });
  });

  it('tells two that the namespace makes one', () => {
    const inShop = POD.replace('{ name: web }', '{ name: web, namespace: shop }');
    const files = [
      { path: 'a.yaml', text: POD },
      { path: 'b.yaml', text: inShop },
    ];
    expect(parseSource(files, { images: [] }).problems).toEqual([]);
    expect(parseSource(files, { images: [], namespace: 'shop' }).problems).toEqual([
      expect.objectContaining({ file: 'b.yaml', message: expect.stringContaining('a.yaml:3') }),
    ]);
  });
});

describe('a kustomization', () => {
  it('names folders and files in lists, or has them inline', () => {
    const resources = ['../base', 'web.yaml', 'apiVersion: v1\nkind: ConfigMap'];
    expect(namedIn({ resources, components: ['c'], patches: ['p'], bases: 'no list' })).toEqual([
      { field: 'resources[0]', entry: '../base' },
      { field: 'resources[1]', entry: 'web.yaml' },
      { field: 'components[0]', entry: 'c' },
    ]);
    expect(namedIn('no kustomization')).toEqual([]);
  });

  it.each([
    ['https://example.org/base', true],
    ['git@example.org:team/base', true],
    ['ssh://git@example.org/base', true],
    ['git::https://example.org/base', true],
    ['github.com/team/base', true],
    ['example.org/team/base.git', true],
    ['team/base?ref=v1', true],
    ['../base', false],
    ['base.yaml', false],
    ['./github.com', false],
  ])('%s is fetched: %s', (entry, expected) => expect(isRemote(entry)).toBe(expected));
});
