import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Deploy } from '#core/declarations/pipeline.ts';
import { manifestSource } from '#core/sources/manifest-source.ts';
import { parseSource } from '#core/sources/parse-source.ts';
import { renderTools } from '../../test/tools/render-tools.ts';
import { renderSource } from './render-source.ts';
import { RENDER_LIMITS } from './run-renderer.ts';
import type { RenderLimits } from './run-renderer.ts';

const NEVER = new AbortController().signal;
let tools = '';
let folder = '';
let checkout = '';

beforeAll(async () => {
  tools = await renderTools();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-source-'));
  checkout = join(folder, 'checkout');
  await mkdir(checkout);
  return () => rm(folder, { recursive: true, force: true });
});

async function write(files: Record<string, string>, top = checkout): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(top, path)), { recursive: true });
    await writeFile(join(top, path), text);
  }
}

async function filesIn(top: string): Promise<string[]> {
  return (await readdir(top, { recursive: true })).toSorted();
}

async function render(
  deploy: object,
  options: { path?: string; limits?: Partial<RenderLimits>; signal?: AbortSignal } = {},
): Promise<{ resources: unknown[]; problems: unknown[]; files: string[]; notes: string[] }> {
  const entry = Deploy.parse({ cluster: 'here', ...deploy });
  const source = manifestSource(entry);
  if (source.kind === 'plain') throw new Error('it is rendered by nothing');
  const path = options.path ?? `${tools}:${process.env['PATH'] ?? ''}`;
  const place = {
    checkout,
    pipeline: 'shop',
    path,
    limits: { ...RENDER_LIMITS, ...options.limits },
  };
  const { files, notes } = await renderSource(source, place, options.signal ?? NEVER);
  const parsed = parseSource(files, { images: ['web'], namespace: entry.helm?.namespace });
  const { resources, problems } = parsed;
  return { resources, problems, files: files.map((file) => file.path), notes };
}

const CHART = {
  'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'charts/web/values.yaml': 'image: { repository: nginx, tag: "1" }\nreplicas: 1\nlevel: info\n',
  'charts/web/templates/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }}-web }
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          args: ["{{ .Values.level }}", "{{ .Capabilities.KubeVersion.Version }}"]
---
apiVersion: v1
kind: Namespace
metadata: { name: {{ .Release.Namespace }} }
`,
  'charts/web/templates/job.yaml': `apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: { helm.sh/hook: pre-upgrade }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: a, image: busybox }] } } }
`,
  'charts/web/crds/thing.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.example.org }
spec: {}
`,
};

describe('a Helm chart', () => {
  it('is rendered with its files of values, inline values, release and namespace', async () => {
    await write({ ...CHART, 'values/prod.yaml': 'replicas: 2\nlevel: warn\n' });
    const { resources, problems, files } = await render({
      helm: {
        chart: 'charts/web',
        release: 'blue',
        namespace: 'shop',
        valuesFiles: ['values/prod.yaml'],
        values: { level: 'debug', image: { repository: 'web', tag: 'windlass' } },
        kubeVersion: '1.33.1',
      },
    });
    expect(problems).toEqual([]);
    expect(files).toContain('web/templates/web.yaml (as rendered)');
    expect(resources).toContainEqual(
      expect.objectContaining({ metadata: expect.objectContaining({ name: 'migrate' }) }),
    );
    expect(resources).toContainEqual(
      expect.objectContaining({
        kind: 'CustomResourceDefinition',
        metadata: { name: 'things.example.org' },
      }),
    );
    expect(resources).toContainEqual(
      expect.objectContaining({ kind: 'Namespace', metadata: { name: 'shop' } }),
    );
    expect(resources).toContainEqual(
      expect.objectContaining({
        kind: 'Deployment',
        metadata: { name: 'blue-web', namespace: 'shop' },
        spec: expect.objectContaining({
          replicas: 2,
          template: expect.objectContaining({
            spec: { containers: [{ name: 'web', image: 'web', args: ['debug', 'v1.33.1'] }] },
          }),
        }),
      }),
    );
  });

  it('is rendered without its hooks where that is said', async () => {
    await write(CHART);
    const { resources } = await render({ helm: { chart: 'charts/web', hooks: false } });
    expect(resources.map((each) => (each as { kind: string }).kind)).toEqual([
      'CustomResourceDefinition',
      'Namespace',
      'Deployment',
    ]);
  });

  it('tells what is wrong with it as Helm does', async () => {
    await write({ ...CHART, 'charts/web/templates/bad.yaml': '{{ fail "give it a name" }}' });
    await expect(render({ helm: { chart: 'charts/web' } })).rejects.toThrow(/give it a name/);
  });

  it('needs what it depends on in the repository', async () => {
    const dependency =
      'dependencies:\n  - { name: redis, version: 1.0.0, repository: "https://charts.example.org" }\n';
    await write({
      ...CHART,
      'charts/web/Chart.yaml': `${CHART['charts/web/Chart.yaml']}${dependency}`,
    });
    await expect(render({ helm: { chart: 'charts/web' } })).rejects.toThrow(/redis/);
  });

  it('takes a chart beside it where the network is allowed, and none outside of the repository', async () => {
    const own = CHART['charts/web/Chart.yaml'];
    await write({
      ...CHART,
      'charts/web/Chart.yaml': `${own}dependencies:\n  - { name: base, version: 1.0.0, repository: "file://../base" }\n`,
      'charts/base/Chart.yaml': 'apiVersion: v2\nname: base\nversion: 1.0.0\n',
      'charts/base/templates/a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: base }\n',
    });
    const before = await filesIn(checkout);
    const { resources, problems } = await render({ helm: { chart: 'charts/web', network: true } });
    expect(problems).toEqual([]);
    expect(resources).toContainEqual(
      expect.objectContaining({ metadata: { name: 'base', namespace: 'default' } }),
    );
    expect(await filesIn(checkout)).toEqual(before);
  });

  it('is rendered by a Helm that has no plugins', async () => {
    // It prints what it could take for some.
    const helm =
      '#!/bin/sh\necho "apiVersion: v1"\necho "kind: ConfigMap"\necho "metadata: { name: x }"\necho "data: { plugins: \\"$(ls $HELM_PLUGINS 2>&1)\\" }"\n';
    await write({ 'bin/helm': helm }, folder);
    await chmod(join(folder, 'bin/helm'), 0o755);
    await write({ ...CHART, 'charts/web/plugin.yaml': 'name: evil\n' });
    const { resources } = await render(
      { helm: { chart: 'charts/web', network: true, values: { level: 'debug' } } },
      { path: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` },
    );
    expect(resources).toEqual([expect.objectContaining({ data: { plugins: '' } })]);
  });

  it.each([
    ['Chart.yaml', 'v2', 'dependencies', 'repository'],
    ['Chart.yaml', 'v2', 'Dependencies', 'REPOSITORY'],
    ['requirements.yaml', 'v1', 'dependencies', 'repository'],
  ])('takes none of %s (%s, %s) outside of the repository', async (file, version, list, field) => {
    const dependency = `${list}: [{ name: base, version: 1.0.0, ${field}: "file://../../../elsewhere" }]\n`;
    const described = `apiVersion: ${version}\nname: web\nversion: 1.0.0\n`;
    await write({
      'charts/web/Chart.yaml': described,
      [`charts/web/${file}`]: file === 'Chart.yaml' ? described + dependency : dependency,
    });
    await write({ 'elsewhere/Chart.yaml': 'apiVersion: v2\nname: base\nversion: 1.0.0\n' }, folder);
    await expect(render({ helm: { chart: 'charts/web', network: true } })).rejects.toThrow(
      `charts/web/${file}: the dependency ../elsewhere is outside of the repository`,
    );
  });

  it('takes a chart beside it without links that lead out of the repository', async () => {
    const base = 'apiVersion: v2\nname: base\nversion: 1.0.0\n';
    await write({
      'charts/web/Chart.yaml': `apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{ name: base, version: 1.0.0, repository: "file://../base" }]\n`,
      'charts/base/Chart.yaml': `${base}dependencies: [{ name: deep, version: 1.0.0, repository: "file://../deep" }]\n`,
      'charts/deep/Chart.yaml': 'apiVersion: v2\nname: deep\nversion: 1.0.0\n',
    });
    await write({ secret: 'token' }, folder);
    await symlink(join(folder, 'secret'), join(checkout, 'charts/deep/leak'));
    await expect(render({ helm: { chart: 'charts/web', network: true } })).rejects.toThrow(
      'the link charts/deep/leak leaves the repository',
    );
  });

  it('has no links that lead out of the repository', async () => {
    await write(CHART);
    await write({ secret: 'token' }, folder);
    await symlink(join(folder, 'secret'), join(checkout, 'charts/web/files'));
    await expect(render({ helm: { chart: 'charts/web' } })).rejects.toThrow(
      'the link charts/web/files leaves the repository',
    );
  });

  it('has none that lead out of a folder which a link of it leads to', async () => {
    await write({ ...CHART, 'other/a.txt': 'a' });
    await write({ secret: 'token' }, folder);
    await symlink('../../other', join(checkout, 'charts/web/files'));
    await write({ 'charts/web/templates/a.yaml': '# {{ .Files.Get "files/leak" }}' });
    await render({ helm: { chart: 'charts/web' } });
    await symlink(join(folder, 'secret'), join(checkout, 'other/leak'));
    await expect(render({ helm: { chart: 'charts/web' } })).rejects.toThrow(
      'the link other/leak leaves the repository',
    );
  });

  it('has no links that lead back to where they are', async () => {
    await write(CHART);
    await symlink('..', join(checkout, 'charts/web/templates/again'));
    await expect(render({ helm: { chart: 'charts/web' } })).rejects.toThrow(
      'the link charts/web/templates/again leads to a folder that it is in',
    );
  });

  it.each([
    [
      'memory',
      '{{- $s := "x" }}{{ range until 40 }}{{ $s = print $s $s }}{{ end }}{{ len $s }}',
      'of memory',
    ],
    [
      'output',
      '{{ range until 30000 }}# {{ repeat 1000 "x" }}\n{{ end }}',
      'prints more than 10 MiB',
    ],
  ])('is broken off where it needs too much %s', async (_what, template, told) => {
    await write({ ...CHART, 'charts/web/templates/much.yaml': template });
    await expect(render({ helm: { chart: 'charts/web' } })).rejects.toThrow(told);
  });

  it('is broken off where it takes too long', async () => {
    const forever =
      '{{ range until 1000000 }}{{ range until 1000000 }}{{ $x := 1 }}{{ end }}{{ end }}';
    await write({ ...CHART, 'charts/web/templates/long.yaml': forever });
    await expect(
      render({ helm: { chart: 'charts/web' } }, { limits: { ms: 500 } }),
    ).rejects.toThrow('takes longer than 0.5 s');
  });

  it('sees nothing of our environment', async () => {
    await write({ ...CHART, 'charts/web/templates/env.yaml': '# {{ env "PATH" }}' });
    await expect(render({ helm: { chart: 'charts/web' } })).rejects.toThrow(/"env" not defined/);
  });
});

const BASE = {
  'deploy/base/kustomization.yaml': 'resources: [web.yaml]\n',
  'deploy/base/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web }] }
`,
};

describe('a kustomization', () => {
  it('is rendered with its bases, patches and generators', async () => {
    await write({
      ...BASE,
      'deploy/prod/kustomization.yaml': `namespace: shop
resources: [../base]
configMapGenerator: [{ name: settings, literals: [level=warn] }]
patches:
  - patch: '[{ "op": "add", "path": "/spec/replicas", "value": 3 }]'
    target: { kind: Deployment }
`,
    });
    const { resources, problems } = await render({ kustomize: { path: 'deploy/prod' } });
    expect(problems).toEqual([]);
    expect(resources).toEqual([
      expect.objectContaining({
        kind: 'ConfigMap',
        metadata: { name: expect.stringMatching(/^settings-\w+$/), namespace: 'shop' },
        data: { level: 'warn' },
      }),
      expect.objectContaining({
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'shop' },
        spec: expect.objectContaining({ replicas: 3 }),
      }),
    ]);
  });

  it.each([
    ['another repository', 'https://example.org/base?ref=v1', 'would have to be fetched'],
    ['a folder outside of the repository', '../../../elsewhere', 'outside of the repository'],
    ['a file outside of its folder', '../../other.yaml', /security; file/],
  ])('takes nothing from %s', async (_what, resource, told) => {
    await write({ ...BASE, 'other.yaml': 'a: 1\n' });
    await write({ 'elsewhere/kustomization.yaml': 'resources: []\n' }, folder);
    await write({ 'deploy/base/kustomization.yaml': `resources: ["${resource}"]\n` });
    await expect(render({ kustomize: { path: 'deploy/base' } })).rejects.toThrow(told);
  });

  it('takes nothing from outside through a base or a link', async () => {
    await write({ ...BASE, 'deploy/prod/kustomization.yaml': 'resources: [../base, ./link]\n' });
    await write({ 'elsewhere/kustomization.yaml': 'resources: []\n' }, folder);
    await symlink(join(folder, 'elsewhere'), join(checkout, 'deploy/prod/link'));
    await expect(render({ kustomize: { path: 'deploy/prod' } })).rejects.toThrow(
      'leaves the repository through a symbolic link',
    );
  });

  it.each([
    ['a program', 'transformers: [t.yaml]\n', { 't.yaml': PLUGIN() }],
    ['a chart', 'helmCharts: [{ name: web, repo: "https://charts.example.org" }]\n', {}],
  ])('runs no %s', async (_what, text, others) => {
    await write({ ...BASE, 'deploy/base/kustomization.yaml': `resources: [web.yaml]\n${text}` });
    for (const [name, content] of Object.entries(others))
      await write({ [`deploy/base/${name}`]: content });
    await expect(render({ kustomize: { path: 'deploy/base' } })).rejects.toThrow(
      /plugin|enable-helm/,
    );
  });

  it('reaches no server without being allowed to', async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.end('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: fetched }\n');
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((listening) => server.once('listening', listening));
    const { port } = server.address() as AddressInfo;
    const text = `resources: ["http://127.0.0.1:${port}/a.yaml"]\n`;
    await write({ 'deploy/kustomization.yaml': text });
    const { resources } = await render({ kustomize: { path: 'deploy', network: true } });
    expect(resources).toEqual([expect.objectContaining({ metadata: { name: 'fetched' } })]);
    expect(asked).toBeGreaterThan(0);
    asked = 0;
    // A way that is not known from the outside: what a patch names is fetched too.
    await write({
      ...BASE,
      'deploy/base/kustomization.yaml': `resources: [web.yaml]\npatches: [{ path: "http://127.0.0.1:${port}/a.yaml" }]\n`,
    });
    await expect(render({ kustomize: { path: 'deploy/base' } })).rejects.toThrow(/a\.yaml/);
    expect(asked).toBe(0);
  });
});

function PLUGIN(): string {
  return `apiVersion: example.org/v1
kind: Run
metadata:
  name: run
  annotations: { config.kubernetes.io/function: "exec: { path: ./run.sh }" }
`;
}

it.each([
  [{ helm: { chart: 'charts/web' } }, 'helm is not on this machine'],
  [{ kustomize: { path: 'deploy/base' } }, 'neither kustomize nor kubectl is on this machine'],
])('says which program is missing', async (deploy, told) => {
  await write({ ...CHART, ...BASE });
  await expect(render(deploy, { path: folder })).rejects.toThrow(told);
});

it('ends when it is told to', async () => {
  await write(CHART);
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(render({ helm: { chart: 'charts/web' } }, { signal })).rejects.toThrow('enough');
});
