import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseDeclarations } from '#core/declarations/parse.ts';
import { parseRepositoryPipeline } from '#core/declarations/repository.ts';
import { acceptResources } from '#core/docker/accepts.ts';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld } from '#core/docker/testing/simulator.ts';
import type { Problem } from '#core/errors.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
import { kubernetesYaml } from '#core/yaml-kubernetes.ts';
import { damaged, damagedText, RUNS } from './generate.ts';

const DECLARED = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec:
  source:
    url: https://forge.example/team/shop.git
    branches: [main, next]
    credentials: { username: me, password: { env: TOKEN } }
    webhookSecret: { file: /run/secret }
    pollSeconds: 60
  images: [{ name: web, context: ., dockerfile: Dockerfile, target: run, test: check, args: { A: b } }]
  deploy: [{ name: live, cluster: local, manifests: deploy/ }]
  keep: { releases: 5, runs: 10, days: 3 }
  notify: [{ url: https://ops.example/hook, secret: { env: KEY }, format: slack }]
`;
const declared = parseAllDocuments(DECLARED).map((document) => document.toJS() as unknown);
const manifests = manifestTexts();
const resources = manifests.flatMap((text) =>
  parseAllDocuments(text).map((document) => document.toJS() as unknown),
);
const runs = { numRuns: RUNS };
const LONG = 600_000;

function manifestTexts(): string[] {
  const folder = join(import.meta.dirname, '..', 'conformance');
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readFileSync(join(folder, name, 'manifests.yaml'), 'utf8'));
}

/** Each says where and what, on few enough lines to be read. */
function expectClear(problems: readonly Problem[]): void {
  for (const problem of problems) {
    expect(problem.file).toBe('f.yaml');
    expect(Math.min(problem.line, problem.column)).toBeGreaterThan(0);
    expect(problem.message).not.toBe('');
    expect(problem.message).not.toMatch(/undefined|\[object|TypeError|RangeError|ZodError/);
    expect(formatProblem(problem).length).toBeLessThan(1_500);
  }
}

function expectDeclaredClear(text: string): void {
  const files = [{ path: 'f.yaml', text }];
  expectClear(parseDeclarations(files).problems);
  expectClear(parseRepositoryPipeline(files, 'shop', {}).problems);
}

/** What is taken can be carried out. */
function expectManifestsClear(text: string): void {
  const parsed = parseManifests([{ path: 'f.yaml', text }]);
  const problems = [...parsed.problems, ...acceptResources(parsed)];
  expectClear(problems);
  if (problems.length > 0) return;
  const desired = [{ owner: 'shop/local', release: 'r1', resources: parsed.resources }];
  const world = decide(desired, emptyWorld(), 0, (value) => `sealed ${value}`).steps.reduce(
    (before, step) => carryOut(before, step, 0),
    emptyWorld(),
  );
  decide(desired, world, 1_000, (value) => `sealed ${value}`);
}

it('begins with what is valid', () => {
  expect(parseDeclarations([{ path: 'f.yaml', text: DECLARED }]).problems).toEqual([]);
  expect(manifests.length).toBeGreaterThan(20);
});

describe('declared files', () => {
  it(
    'of which something was altered are taken, or refused with the place',
    () => {
      const documents = fc.array(damaged(declared), { minLength: 1, maxLength: 3 });
      fc.assert(
        fc.property(documents, (all) => expectDeclaredClear(all.map(kubernetesYaml).join('---\n'))),
        runs,
      );
    },
    LONG,
  );

  it(
    'whose text was damaged are taken, or refused with the place',
    () => {
      fc.assert(
        fc.property(damagedText([DECLARED]), (text) => expectDeclaredClear(text)),
        runs,
      );
    },
    LONG,
  );
});

describe('manifests', () => {
  it(
    'of which something was altered can be carried out, or are refused with the place',
    () => {
      const documents = fc.array(damaged(resources), { minLength: 1, maxLength: 3 });
      fc.assert(
        fc.property(documents, (all) =>
          expectManifestsClear(all.map(kubernetesYaml).join('---\n')),
        ),
        runs,
      );
    },
    LONG,
  );

  it(
    'whose text was damaged can be carried out, or are refused with the place',
    () => {
      fc.assert(
        fc.property(damagedText(manifests), (text) => expectManifestsClear(text)),
        runs,
      );
    },
    LONG,
  );
});
