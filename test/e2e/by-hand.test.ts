import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import type { ClusterList, ClusterView } from '#core/api/cluster.ts';
import type { ReleaseList } from '#core/api/release.ts';
import type { RunView } from '#core/api/run.ts';
import { openTerminal, runCli, startCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { GitResult, Repository } from '../support/repository.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';
import { freeNodePort } from '../tools/process.ts';

const never = new AbortController().signal;
const docker = connectDocker('unix:///var/run/docker.sock');
const NODE_PORT = await freeNodePort();
const OTHER_NODE_PORT = await freeNodePort();

const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { deploy: [{ cluster: here, manifests: deploy/ }] }
`;

/** A cluster and a pipeline that are taken out of the configuration. */
const LEAVING = `---
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: there }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: blog }
spec: { deploy: [{ cluster: there, manifests: deploy/ }] }
`;

const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: web
          image: busybox:1.36
          command: [sh, -c, "mkdir -p /www && hostname > /www/page && exec httpd -f -p 8080 -h /www"]
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /page, port: http }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: http, nodePort: ${NODE_PORT} }] }
`;

function configMaps(...names: string[]): string {
  return names
    .map((name) => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { a: b }\n`)
    .join('---\n');
}

describe.sequential('by hand', () => {
  let windlass: Windlass;
  let repository: Repository;

  beforeAll(async () => {
    repository = await createRepository();
    windlass = await startWindlass(CONFIG + LEAVING);
    const remote = `${windlass.url.replace('//', `//dev:${windlass.token}@`)}/git/shop.git`;
    await repository.git('remote', 'add', 'windlass', remote);
    await repository.commit({
      'deploy/web.yaml': WEB,
      'deploy/maps.yaml': configMaps('one', 'two', 'three', 'four'),
    });
    const { output } = await push();
    if (!/remote: DEPLOYED shop/.test(output)) throw new Error(output);
  });

  afterAll(async () => {
    await windlass.stop();
    await repository.remove();
  });

  function push(): Promise<GitResult> {
    return repository.git('push', 'windlass', 'main');
  }

  function declare(config: string): Promise<void> {
    return writeFile(join(windlass.folder, 'config', 'pipelines', 'all.yaml'), config);
  }

  function clusters(): Promise<ClusterList> {
    return windlass.get('/api/v1/clusters');
  }

  /** Ids of the containers of pods on a cluster. */
  async function containersOn(cluster: string): Promise<string[]> {
    return (await parts(cluster, 'container')).map(({ Id }) => Id).toSorted();
  }

  function parts(cluster: string, role: string): Promise<{ Id: string; Names: string[] }[]> {
    const labels = { installation: windlass.installation, cluster, role };
    const label = Object.entries(labels).map(([name, value]) => `windlass.dev/${name}=${value}`);
    return callDocker(docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters: JSON.stringify({ label }) },
      signal: never,
    });
  }

  function cli(...args: string[]): Promise<CliResult> {
    return runCli(windlass, args);
  }

  async function owner(): Promise<ClusterView['owners'][number]> {
    const { owners } = await windlass.get<ClusterView>('/api/v1/clusters/here/workloads');
    const found = owners.find((each) => each.owner === 'shop/here');
    if (found === undefined) throw new Error('shop/here is not told of');
    return found;
  }

  it('keeps many deletions waiting until somebody confirms that release', async () => {
    await repository.commit({ 'deploy/maps.yaml': configMaps('five') });
    const { output } = await push();
    expect(output).toMatch(/remote: .*- delete ConfigMap\/default\/one .*waits for a confirmation/);
    expect(output).toMatch(/remote: ok deploy here.*4 deletions wait.*windlass confirm shop here/);
    expect(output).toMatch(/remote: DEPLOYED shop/);
    expect((await owner()).held).toHaveLength(4);
    expect((await cli('status')).out).toContain('4 deletions wait for a confirmation');

    // What one has confirmed is that release and no other.
    const earlier = (await owner()).release;
    await repository.commit({}, 'Something else');
    await push();
    expect((await owner()).held).toHaveLength(4);
    const refused = windlass.post('/api/v1/entries/shop/here/confirm', { release: earlier });
    await expect(refused).rejects.toThrow(/409/);

    const confirmed = await cli('confirm', 'shop');
    expect(confirmed.code).toBe(0);
    expect(confirmed.out).toContain('- delete ConfigMap/default/four');
    await waitUntil(async () => (await owner()).held.length === 0, 'the deletions');
    const { resources, plan } = await owner();
    expect(plan).toEqual([]);
    expect(resources.map(({ key }) => key)).toContain('ConfigMap/default/five');
    expect((await cli('confirm', 'shop')).notes).toContain('no deletion waits on shop/here');
  });

  it('changes nothing of what is suspended, until it is resumed', async () => {
    const suspended = await cli('suspend', 'shop', '--reason', 'looking at it');
    expect(suspended).toMatchObject({
      code: 0,
      out: 'shop/here is suspended; what runs goes on\n',
    });
    await waitUntil(async () => (await owner()).suspended !== undefined, 'the suspension');
    const [gone = '', left] = await containersOn('here');
    await callDocker(docker, {
      method: 'DELETE',
      path: `/containers/${gone}`,
      query: { force: true },
      signal: never,
    });
    // The pass that sees it would have healed it.
    await waitUntil(async () => (await owner()).plan.length === 1, 'what would be done');
    expect(await containersOn('here')).toEqual([left]);
    expect((await cli('status')).out).toMatch(/Suspended by admin \d+s ago: looking at it/);

    await repository.commit({}, 'While it is suspended');
    expect((await push()).output).toMatch(
      /remote: FAILED shop: .*shop\/here is suspended by admin .*windlass resume shop here/,
    );
    const scaled = await cli('scale', 'deployment/web=3', '--cluster', 'here');
    expect(scaled.notes).toContain('shop/here is suspended by admin');

    expect((await cli('resume', 'shop')).code).toBe(0);
    await waitUntil(async () => (await containersOn('here')).length === 2, 'a new container');
    expect((await cli('resume', 'shop')).notes).toContain('shop/here is not suspended');
    const run = await windlass.lastRun('shop');
    const { id } = await windlass.post<RunView>(`/api/v1/runs/${run.id}/retry`);
    const again = await windlass.runUntil(id, ({ endedAt }) => endedAt !== undefined);
    expect(again.state).toBe('succeeded');
  });

  it('scales until the next release, and tells who wanted it', async () => {
    const args = ['--cluster', 'here', '--for', '2h', '--reason', 'the sale'];
    const { out } = await cli('scale', 'deployment/web=3', ...args);
    expect(out).toMatch(
      /Deployment\/web of shop\/here has 3 replicas until \S+Z or the next release/,
    );
    await waitUntil(async () => (await containersOn('here')).length === 3, 'three containers');
    const told = /\/web scaled from 2 to 3 by admin until \S+ or the next release: the sale/;
    await waitUntil(async () => told.test((await cli('status')).out), 'who wanted it');
    await repository.commit({}, 'The next release');
    const { output } = await push();
    expect(output).toMatch(/remote: DEPLOYED shop/);
    expect(output).toMatch(/spec\.replicas: 3 -> 2/);
    await waitUntil(async () => (await containersOn('here')).length === 2, 'two containers');
    expect((await owner()).overrides).toEqual([]);
  });

  it('restarts without losing a request, and once only', async () => {
    const before = await containersOn('here');
    let going = true;
    const failures: string[] = [];
    async function ask(): Promise<void> {
      while (going) {
        await fetch(`http://127.0.0.1:${NODE_PORT}/page`, { headers: { connection: 'close' } })
          .then(async (response) => {
            await response.text();
            if (!response.ok) failures.push(String(response.status));
          })
          .catch((error: unknown) => failures.push(String(error)));
      }
    }
    const asking = ask();
    expect((await cli('restart', 'deployment/web', '--cluster', 'here')).code).toBe(0);
    async function isNew(): Promise<boolean> {
      const now = await containersOn('here');
      return now.length === 2 && now.every((id) => !before.includes(id)) && (await owner()).serving;
    }
    await waitUntil(isNew, 'new containers');
    going = false;
    await asking;
    expect(failures).toEqual([]);
    const restarted = await containersOn('here');
    await repository.commit({}, 'After the restart');
    expect((await push()).output).toMatch(/remote: DEPLOYED shop/);
    expect(await containersOn('here')).toEqual(restarted);
  });

  it('tells what happened and why', async () => {
    const { out } = await cli('events', 'shop/here', '--cluster', 'here', '--limit', '500');
    const reasons = [
      /Deployment\/default\/web Created/,
      /ConfigMap\/default\/four Deleted not in git any more/,
      /shop\/here DeletionsWait 4 deletions wait/,
      /shop\/here Suspended by admin: looking at it/,
      /Deployment\/default\/web Updated spec\.replicas: 2 -> 3; scaled from 2 to 3 by admin/,
      /Deployment\/default\/web Restarting restarted by admin/,
      /shop\/here Deployed release [0-9a-f]{12} of run [0-9a-f]+ serves/,
    ];
    for (const reason of reasons) expect(out).toMatch(reason);
  });

  it('tells from a container who pushed what led to it', async () => {
    const [id = ''] = await containersOn('here');
    const { out } = await cli('why', id.slice(0, 12));
    const [first] = (await windlass.get<ReleaseList>('/api/v1/releases/shop/here')).releases.slice(
      -1,
    );
    const author = 'Ada <ada@example.invalid>';
    expect(out).toMatch(/workload +Deployment\/default\/web on cluster here/);
    expect(out).toMatch(/deploy entry +shop\/here\n/);
    expect(out).toMatch(/by hand +restarted by admin at/);
    expect(out).toMatch(new RegExp(`release +${first?.commit.slice(0, 8)}, .* ago: Change\n`));
    expect(out).toMatch(new RegExp(`commit +${first?.source.slice(0, 8)} of main by ${author}`));
    expect(out).toMatch(/pushed by +admin, /);
    const [proxy] = await parts('here', 'proxy');
    const name = proxy?.Names[0] ?? '';
    expect((await cli('why', name.slice(1))).out).toMatch(
      /for +the cluster here itself: its proxy/,
    );
    expect((await cli('why', 'nobody')).notes).toContain('no container or pod nobody');
  });

  it('runs commands in containers, with their input, output and exit code', async () => {
    const here = ['deployment/web', '--cluster', 'here'];
    const following = startCli(windlass, ['events', '-f', '--limit', '0', '--json']);
    const listed = await cli('exec', ...here, '--', 'sh', '-c', 'ls /www; echo oops >&2; exit 7');
    expect(listed).toEqual({ code: 7, out: 'page\n', notes: 'oops\n' });
    // Larger than what fits into the buffers on the way.
    const large = randomBytes(5_000_000).toString('base64');
    const echoed = await runCli(windlass, ['exec', '-i', ...here, '--', 'cat'], { input: large });
    expect(echoed.out === large).toBe(true);
    const counted = await runCli(windlass, ['exec', ...here, '--json', '--', 'wc', '-c'], {
      input: 'unread',
    });
    expect(JSON.parse(counted.out)).toEqual({ exitCode: 0, stdout: '0\n', stderr: '' });
    const nowhere = await cli('exec', 'deployment/nothing', '--cluster', 'here', '--', 'ls');
    expect(nowhere).toMatchObject({ code: 1 });
    expect(nowhere.notes).toContain('no container of Deployment/default/nothing runs');
    async function isTold(): Promise<boolean> {
      // It may have begun to listen after the first ones.
      await cli('exec', ...here, '--', 'true');
      return /"reason":"Exec".*admin began a command in container web/.test(following.out());
    }
    await waitUntil(isTold, 'the event');
    expect(await following.interrupt()).toBe(130);
  });

  it('gives a command a terminal', async () => {
    const { output, resize, type, ended } = openTerminal(windlass, [
      'exec',
      '-it',
      'deployment/web',
      '--cluster',
      'here',
      '--',
      'sh',
    ]);
    // The shell drops what is typed before it asks for it.
    async function isAsking(): Promise<boolean> {
      return stripVTControlCharacters(output()).endsWith('# ');
    }
    await waitUntil(isAsking, 'a prompt');
    type('stty size; echo "$TERM"\n');
    await waitUntil(async () => /24 80\s+xterm-test/.test(output()), 'the size');
    await waitUntil(isAsking, 'the next prompt');
    await resize(100, 30);
    type('until stty size | grep "30 100"; do sleep 0.1; done; sleep 100\n');
    await waitUntil(async () => /\n30 100\s/.test(output()), 'the new size');
    type('\u0003');
    await waitUntil(isAsking, 'a prompt after Ctrl-C');
    type('exit 5\n');
    expect(await ended).toBe(5);
  });

  it('forwards ports, for many connections at once', async () => {
    const forward = startCli(windlass, [
      'port-forward',
      'deployment/web',
      '--cluster',
      'here',
      '--json',
      ':8080',
      ':1',
    ]);
    await waitUntil(async () => forward.out().split('\n').length > 2, 'two listening ports');
    const [open, shut] = forward
      .out()
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { port: number }).port);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const response = await fetch(`http://127.0.0.1:${open}/page`);
        return (await response.text()).trim();
      }),
    );
    const pods = (await owner()).resources.flatMap((each) => each.pods ?? []);
    expect(new Set(answers).size).toBe(1);
    expect(pods.map(({ name }) => name)).toContain(answers[0]);
    await expect(fetch(`http://127.0.0.1:${shut}/`)).rejects.toThrow('fetch failed');
    await waitUntil(async () => forward.notes().includes('Connection refused'), 'why');
    expect(await forward.interrupt()).toBe(130);

    const service = startCli(windlass, [
      'port-forward',
      'service/web',
      '--cluster',
      'here',
      '--json',
      ':80',
    ]);
    await waitUntil(async () => service.out().includes('\n'), 'a listening port');
    const { port } = JSON.parse(service.out()) as { port: number };
    expect((await fetch(`http://127.0.0.1:${port}/page`)).ok).toBe(true);
    await service.interrupt();
  });

  it('leaves what is declared no longer running, tells of it, and removes it when asked', async () => {
    const blog = await createRepository();
    const remote = `${windlass.url.replace('//', `//dev:${windlass.token}@`)}/git/blog.git`;
    const manifests = WEB.replace(`nodePort: ${NODE_PORT}`, `nodePort: ${OTHER_NODE_PORT}`);
    await blog.commit({ 'deploy/web.yaml': manifests });
    const pushed = await blog.git('push', remote, 'main');
    await blog.remove();
    expect(pushed.output).toMatch(/remote: DEPLOYED blog/);
    const [shop, running] = [await containersOn('here'), await containersOn('there')];
    expect(running).toHaveLength(2);

    const refused = await cli('delete', 'blog', '--cascade');
    expect(refused.notes).toContain('take it out of the configuration first');
    await declare(CONFIG);
    await waitUntil(async () => {
      const { clusters: all } = await clusters();
      return all.some(({ name, orphans }) => name === 'there' && orphans.length === 1);
    }, 'an orphan');
    const status = await cli('status', 'there');
    expect(status.out).toContain('not declared any more; what is on it stays as it is');
    expect(status.out).toContain(
      'blog/there orphaned: not declared here any more; 2 resources, 2 pods',
    );
    expect(await containersOn('there')).toEqual(running);

    const asked = await cli('delete', 'blog');
    expect(asked).toMatchObject({ code: 2, notes: expect.stringContaining('add --cascade') });
    expect(asked.out).toContain('- Deployment/default/web');
    const deleted = await cli('delete', 'blog', '--cascade', '--json');
    expect(JSON.parse(deleted.out)).toMatchObject({
      cascade: true,
      deleted: [{ owner: 'blog/there', cluster: 'there', pods: 2 }],
    });
    await waitUntil(async () => (await clusters()).clusters.length === 1, 'the cluster to be gone');
    expect(await containersOn('there')).toEqual([]);
    expect(await containersOn('here')).toEqual(shop);
  });
});
