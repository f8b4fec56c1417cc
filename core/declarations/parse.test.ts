import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDeclarations } from '#core/declarations/parse.ts';
import { parseRepositoryPipeline } from '#core/declarations/repository.ts';
import { formatProblem } from '#core/errors.ts';

const root = join(import.meta.dirname, '../..');
const fixtures = join(root, 'test/fixtures/declarations');

function filesIn(folder: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder))
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => ({
      path: `${folder}/${name}`,
      text: readFileSync(join(root, folder, name), 'utf8'),
    }));
}

describe('invalid files', () => {
  it.each(readdirSync(fixtures).filter((name) => name.endsWith('-invalid.yaml')))(
    '%s says what is wrong, where',
    (path) => {
      const text = readFileSync(join(fixtures, path), 'utf8');
      const expected = [...text.matchAll(/^# expect (.*)$/gm)].map(([, line]) => `${path}:${line}`);
      expect(parseDeclarations([{ path, text }]).problems.map(formatProblem)).toEqual(expected);
    },
  );
});

describe('valid files', () => {
  it('has no problem with the shipped declarations', () => {
    const { problems } = parseDeclarations(filesIn('pipelines'));
    expect(problems.map(formatProblem)).toEqual([]);
  });

  it('has no problem with any field', () => {
    const { declarations, problems } = parseDeclarations(
      filesIn('test/fixtures/declarations/valid'),
    );
    expect(problems.map(formatProblem)).toEqual([]);
    expect(Object.keys(declarations.pipelines)).toEqual(['hello', 'shop']);
    expect(Object.keys(declarations.clusters)).toEqual(['local', 'far', 'farther']);
  });

  it('fills in what is left out', () => {
    const text =
      'apiVersion: windlass.dev/v1\nkind: Pipeline\nmetadata: { name: a }\nspec: { images: [{ name: web }] }';
    const { declarations } = parseDeclarations([{ path: 'a.yaml', text }]);
    expect(declarations.pipelines['a']?.spec).toEqual({
      source: { branches: ['main'] },
      images: [{ name: 'web', context: '.', dockerfile: 'Dockerfile', args: {} }],
      deploy: [],
      timeoutSeconds: 1_800,
      keep: { releases: 50, runs: 100, days: 30 },
      notify: [],
    });
  });
});

describe('several files', () => {
  const cluster = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }`;
  const pipeline = `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { deploy: [{ cluster: local, manifests: deploy/ }] }`;

  it('resolves references from one file to another', () => {
    expect(
      parseDeclarations([
        { path: 'a.yaml', text: pipeline },
        { path: 'b.yaml', text: cluster },
      ]).problems,
    ).toEqual([]);
  });

  it('does not call a reference dangling where the cluster may be in what cannot be read', () => {
    const broken = parseDeclarations([
      { path: 'a.yaml', text: pipeline },
      { path: 'b.yaml', text: `${cluster}\nfoo: 1` },
    ]);
    expect(broken.problems.map(formatProblem)).toEqual([
      'b.yaml:5:1: foo: unknown key (its keys: apiVersion, kind, metadata, spec)',
    ]);
  });

  it('does not judge references to clusters that are declared elsewhere', () => {
    expect(parseDeclarations([{ path: 'a.yaml', text: pipeline }], 'unknown').problems).toEqual([]);
  });

  it('names the other file of a duplicate', () => {
    const twice = [
      { path: 'a.yaml', text: cluster },
      { path: 'b.yaml', text: cluster },
    ];
    expect(parseDeclarations(twice).problems.map(formatProblem)).toEqual([
      'b.yaml:3:13: metadata.name: the Cluster local is declared already, in a.yaml:3:13',
    ]);
  });

  describe("a repository's own pipeline", () => {
    const { clusters } = parseDeclarations([{ path: 'c.yaml', text: cluster }]).declarations;
    const sourced = pipeline.replace(
      'spec: {',
      'spec: { source: { url: "https://example.com/x.git", credentials: { password: { file: /etc/shadow } } },',
    );
    it.each([
      { name: 'is taken', text: pipeline, problems: [] },
      {
        name: 'must go to a cluster of the configuration',
        text: pipeline.replace('local', 'lokal'),
        problems: ['4:20: spec.deploy[0].cluster: there is no Cluster lokal (did you mean local?)'],
      },
      {
        name: 'may not declare clusters',
        text: `${pipeline}\n---\n${cluster}`,
        problems: [
          "7:1: kind: a repository cannot declare a Cluster: it belongs into the server's configuration",
        ],
      },
      {
        name: "may not read the server's files",
        text: sourced,
        problems: [
          "4:19: spec.source.url: is for pipelines in the server's configuration: this repository is its own source",
          "4:53: spec.source.credentials: is for pipelines in the server's configuration: this repository is its own source",
        ],
      },
      {
        name: 'must have the name it was pushed as',
        text: pipeline.replace('shop', 'shops'),
        problems: [
          '3:13: metadata.name: the repository was pushed as shop, and it declares shops only (did you mean shops?)',
        ],
      },
    ])('$name', ({ text, problems }) => {
      const parsed = parseRepositoryPipeline(
        [{ path: 'pipelines/a.yaml', text }],
        'shop',
        clusters,
      );
      expect(parsed.problems.map(formatProblem)).toEqual(
        problems.map((problem) => `pipelines/a.yaml:${problem}`),
      );
      expect(parsed.pipeline?.metadata.name).toBe(problems.length === 0 ? 'shop' : undefined);
    });

    it('is absent without a problem where the repository declares none', () => {
      expect(parseRepositoryPipeline([], 'shop', clusters)).toEqual({ problems: [] });
    });
  });
});
