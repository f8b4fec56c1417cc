import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdtemp, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '#core/secret.ts';
import { createMirrors, mirrorFolder } from './mirror.ts';
import type { Mirrors } from './mirror.ts';

const MAIN = 'refs/heads/main';
const NEVER = new AbortController().signal;

describe('mirrors', () => {
  let folder = '';
  let source = '';
  let into = '';
  let mirrors: Mirrors;
  let lines: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-mirror-'));
    source = join(folder, 'source');
    into = join(folder, 'checkouts', 'one');
    lines = [];
    mirrors = createMirrors(join(folder, 'mirrors'), process.env);
    await mkdir(source);
    git('init', '--quiet', '-b', 'main');
  });
  afterEach(() => rm(folder, { recursive: true }));

  function git(...args: string[]): string {
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
    return execFileSync('git', [...identity, ...args], { cwd: source, encoding: 'utf8' }).trim();
  }

  async function commit(content: string, ...options: string[]): Promise<string> {
    await writeFile(join(source, 'file'), content);
    git('add', '--all');
    git('commit', '--quiet', '--allow-empty', '-m', `say ${content}`, ...options);
    return git('rev-parse', 'HEAD');
  }

  function checkout(asked: string, ref = MAIN, signal = NEVER): ReturnType<Mirrors['checkout']> {
    const request = { url: `file://${source}`, ref, commit: asked, into };
    return mirrors.checkout(request, (line) => lines.push(line), signal);
  }

  it('checks out exactly the commit that was asked for', async () => {
    const first = await commit('one');
    await commit('two');
    expect(await checkout(first)).toMatchObject({
      commit: first,
      subject: 'say one',
      author: 'Ann <ann@example.org>',
      moved: false,
    });
    expect(await readFile(join(into, 'file'), 'utf8')).toBe('one');
  });

  it('takes the head after a force-push and forgets what was in the folder', async () => {
    const lost = await commit('one');
    await checkout(lost);
    await writeFile(join(into, 'left over'), '');
    const head = await commit('two', '--amend');
    expect(await checkout(lost)).toMatchObject({ commit: head, moved: true });
    expect(await readdir(into)).toEqual(['file']);
  });

  it('builds an empty commit, a merge and a tag', async () => {
    await commit('one');
    git('checkout', '--quiet', '-b', 'side');
    const empty = await commit('one');
    git('checkout', '--quiet', 'main');
    git('merge', '--quiet', '--no-ff', '-m', 'merge side', 'side');
    git('tag', '-a', '-m', 'first', 'v1');
    const merge = git('rev-parse', 'HEAD');
    expect(await checkout(empty)).toMatchObject({ commit: empty });
    expect(await checkout(merge)).toMatchObject({ commit: merge, subject: 'merge side' });
    expect(await checkout(merge, 'refs/tags/v1')).toMatchObject({ commit: merge });
  });

  it('says when the branch was deleted', async () => {
    const head = await commit('one');
    git('branch', 'gone');
    await checkout(head, 'refs/heads/gone');
    git('branch', '-D', 'gone');
    await expect(checkout(head, 'refs/heads/gone')).rejects.toMatchObject({
      code: 'not-found',
      message: 'refs/heads/gone is not in the repository any more',
    });
  });

  it.each(['-upload-pack=x', 'main', 'refs/heads/-x', 'refs/heads/a..b', 'refs/heads/a b'])(
    'refuses %s as a ref',
    (ref) => {
      expect(() => checkout('', ref)).toThrow('is not the name of a ref');
    },
  );

  it.each([
    ['has no HEAD', 'HEAD'],
    ['has lost its objects', 'objects'],
  ])('clones again when the mirror %s', async (_case, victim) => {
    const head = await commit('one');
    await checkout(head);
    await rm(join(mirrorFolder(join(folder, 'mirrors'), `file://${source}`), victim), {
      recursive: true,
    });
    expect(await checkout(head)).toMatchObject({ commit: head });
    expect(lines.at(-1)).toContain('cloning');
  });

  it('takes no harm from a clone that was cut off', async () => {
    const head = await commit('one');
    const place = mirrorFolder(join(folder, 'mirrors'), `file://${source}`);
    await mkdir(`${place}.new-half/objects`, { recursive: true });
    await mkdir(place, { recursive: true });
    expect(await checkout(head)).toMatchObject({ commit: head });
  });

  it('gets over the locks of a process that was killed', async () => {
    await checkout(await commit('one'));
    const place = mirrorFolder(join(folder, 'mirrors'), `file://${source}`);
    await writeFile(join(place, 'refs/heads/main.lock'), '');
    await writeFile(join(place, 'packed-refs.lock'), '');
    const head = await commit('two');
    expect(await checkout(head)).toMatchObject({ commit: head });
  });

  it('runs no hooks, fetches no submodules and keeps links as they are', async () => {
    await symlink('/etc/passwd', join(source, 'link'));
    await mkdir(join(source, 'hooks'));
    await writeFile(join(source, 'hooks/post-checkout'), '#!/bin/sh\ntouch ran\n', { mode: 0o755 });
    await commit('one');
    const inner = join(folder, 'inner');
    await cp(source, inner, { recursive: true });
    git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner, 'sub');
    const head = await commit('two');
    await checkout(head);
    expect((await readdir(into)).sort()).toEqual(['.gitmodules', 'file', 'hooks', 'link', 'sub']);
    expect(await readdir(join(into, 'sub'))).toEqual([]);
  });

  it('serves two at once from one mirror', async () => {
    const first = await commit('one');
    const second = await commit('two');
    const both = [first, second].map((asked) => {
      const request = {
        url: `file://${source}`,
        ref: MAIN,
        commit: asked,
        into: join(into, asked),
      };
      return mirrors.checkout(request, () => undefined, NEVER);
    });
    expect((await Promise.all(both)).map((each) => each.commit)).toEqual([first, second]);
  });

  it.each([
    ['a repository that is not there', 'file:///nowhere/at/all', 'not-found', false],
    ['a protocol that runs commands', 'ext::sh -c "touch ran"', 'unsupported', false],
    ['a server that is down', 'http://127.0.0.1:1/x.git', 'unavailable', true],
  ])('tells of %s', async (_case, url, code, transient) => {
    const request = { url, ref: MAIN, commit: '', into };
    const fetched = mirrors.checkout(request, () => undefined, NEVER);
    await expect(fetched).rejects.toMatchObject({ name: 'UserError', code, transient });
    expect(await readdir(join(folder, 'mirrors'))).toEqual([]);
  });

  describe('over HTTP', () => {
    let server: Server;
    let url = '';

    beforeEach(async () => {
      git('config', 'http.receivepack', 'false');
      server = createHttpServer(serve);
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      });
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterEach(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    });

    /** `/moved` leads to the repository at `/source`, which wants `me:secret`. */
    function serve(request: IncomingMessage, response: ServerResponse): void {
      const { pathname, search } = new URL(request.url ?? '/', url);
      if (pathname.startsWith('/moved/')) {
        const location = `${url}/source/${pathname.slice('/moved/'.length)}${search}`;
        response.writeHead(301, { location }).end();
        return;
      }
      const wanted = `Basic ${Buffer.from('me:secret').toString('base64')}`;
      if (request.headers.authorization !== wanted) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
        return;
      }
      const backend = spawn('git', ['http-backend'], {
        env: {
          ...process.env,
          GIT_PROJECT_ROOT: folder,
          GIT_HTTP_EXPORT_ALL: '1',
          REQUEST_METHOD: request.method,
          PATH_INFO: pathname.replace('/source/', '/source/.git/'),
          QUERY_STRING: search.slice(1),
          CONTENT_TYPE: request.headers['content-type'],
          HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
        },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      request.pipe(backend.stdin);
      void buffer(backend.stdout).then((answer) => {
        const end = answer.indexOf('\r\n\r\n');
        const [type = ''] = /[^\r\n]*-(advertisement|result)/.exec(answer.toString()) ?? [];
        response.setHeader('content-type', type.replace(/^Content-Type: /, ''));
        response.end(answer.subarray(end + 4));
      });
    }

    function fetchWith(path: string, password: string): ReturnType<Mirrors['checkout']> {
      const credentials = {
        kind: 'password' as const,
        username: 'me',
        password: new Secret(password),
      };
      const request = { url: `${url}/${path}`, credentials, ref: MAIN, commit: '', into };
      return mirrors.checkout(request, (line) => lines.push(line), NEVER);
    }

    it('reads a private repository and keeps the password out of the mirror', async () => {
      const head = await commit('one');
      expect(await fetchWith('source', 'secret')).toMatchObject({ commit: head });
      const config = join(mirrorFolder(join(folder, 'mirrors'), `${url}/source`), 'config');
      const written = await readFile(config, 'utf8');
      expect(written).not.toMatch(/secret|authorization|extraheader/i);
    });

    it('says that the credentials are refused, without them', async () => {
      await commit('one');
      await expect(fetchWith('source', 'wrong')).rejects.toMatchObject({
        code: 'unauthorized',
        transient: false,
        message: expect.not.stringContaining('wrong') as string,
      });
    });

    it('does not carry credentials to where a repository has moved', async () => {
      await commit('one');
      await expect(fetchWith('moved', 'secret')).rejects.toMatchObject({
        code: 'not-found',
        message: expect.stringContaining('has moved') as string,
      });
    });
  });

  it('ends at once when aborted while the remote hangs, and the next call goes on', async () => {
    const server = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    const controller = new AbortController();
    const request = { url: `http://127.0.0.1:${port}/x.git`, ref: MAIN, commit: '', into };
    const fetched = mirrors.checkout(request, () => undefined, controller.signal);
    setTimeout(() => controller.abort(new Error('stop')), 300);
    await expect(fetched).rejects.toThrow('stop');
    await new Promise((resolve) => {
      server.close(resolve);
    });
    await expect(mirrors.checkout(request, () => undefined, NEVER)).rejects.toMatchObject({
      transient: true,
    });
  });
});
