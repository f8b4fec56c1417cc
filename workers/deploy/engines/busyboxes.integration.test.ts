import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Action, Probe } from '#core/docker/world.ts';
import { healthCheckOf } from '#core/swarm/health-check.ts';
import { keepScript } from './docker/last-word-files.ts';
import { findBusyboxes } from '../../../test/tools/busyboxes.ts';
import { freePort } from '../../../test/tools/process.ts';
import { parseAnswer, parseProbed, probeRequest, SANDBOX_SCRIPT } from './docker/sandbox-script.ts';

type Asked = Extract<Action, { kind: 'http' | 'tcp' }>;

function probe(action: Action): Probe {
  return {
    action,
    initialDelaySeconds: 0,
    periodSeconds: 1,
    timeoutSeconds: 30,
    successThreshold: 1,
    failureThreshold: 1,
  };
}

/** The public images have BusyBox by its own defaults; what is made here has Debian's, with another `nc`. */
describe.skipIf(process.arch !== 'x64').each(['debian', 'byDefaults'] as const)(
  'probes by the BusyBox %s',
  (kind) => {
    let busybox: string;
    let folder: string;
    let server: Server;
    let actions: Record<'good' | 'bad' | 'open' | 'nothing' | 'refused', Asked>;

    beforeAll(async () => {
      busybox = (await findBusyboxes())[kind];
      folder = await mkdtemp(join(tmpdir(), 'windlass-busybox-'));
      const applets = spawnSync(busybox, ['--list']).stdout.toString('utf8').trim().split('\n');
      await mkdir(join(folder, 'bin'));
      for (const applet of applets) await symlink(busybox, join(folder, 'bin', applet));
      server = createServer((request, response) => {
        response.statusCode = request.url === '/bad' ? 404 : 200;
        response.end('hello\n');
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const closed = await freePort();
      const http = { kind: 'http', scheme: 'http', headers: {} } as const;
      actions = {
        good: { ...http, port, path: '/' },
        bad: { ...http, port, path: '/bad' },
        open: { kind: 'tcp', port },
        nothing: { ...http, port: closed, path: '/' },
        refused: { kind: 'tcp', port: closed },
      };
    });

    /** As Docker runs it; that it has started is noted in the file. */
    async function check(
      probes: Parameters<typeof healthCheckOf>[0],
      mark = '',
    ): Promise<{ exitCode: number | null; output: string }> {
      const places: Record<string, string> = {
        '/.windlass/busybox': busybox,
        '/dev/shm/.windlass-started': mark,
      };
      const { Test } = healthCheckOf(probes);
      const [command = '', ...args] = Test.slice(1).map((word) => places[word] ?? word);
      const child = spawn(command, args, { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
      const [out, errors] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      return { exitCode: child.exitCode, output: out + errors };
    }

    afterAll(async () => {
      server.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('in the sandbox of the proxy tell what is found', async () => {
      const names = Object.keys(actions);
      const child = spawn(busybox, ['sh', '-c', SANDBOX_SCRIPT], {
        env: { PATH: join(folder, 'bin') },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      for (const [id, action] of Object.values(actions).entries())
        child.stdin.write(probeRequest(id, { address: '127.0.0.1', action, timeoutSeconds: 30 }));
      let said = '';
      for await (const chunk of child.stdout) {
        said += String(chunk);
        if (said.split('\n').length > names.length) child.kill();
      }
      const lines = said.trimEnd().split('\n');
      const found = Object.fromEntries(
        lines.map((line) => {
          const answer = parseAnswer(line);
          return [names[answer?.id ?? -1] ?? line, parseProbed(answer?.text ?? '')];
        }),
      );
      expect(found).toEqual({
        good: { ok: true, answer: 'HTTP 200' },
        bad: { ok: false, answer: 'HTTP 404: hello' },
        open: { ok: true, answer: 'connected' },
        nothing: { ok: false, answer: 'connection refused' },
        refused: { ok: false, answer: 'connection refused' },
      });
    });

    it('in the sandbox keep what a container said at its end, also where it is read by many at once', async () => {
      const kept = join(folder, 'last-words');
      await mkdir(kept);
      await writeFile(join(kept, 'main'), 'third\n');
      const ended = '2099-01-01 00:00:00.000000000';
      const script = `set -e\n${keepScript({ folder: kept, file: 'main', ended })}`;
      const env = { PATH: join(folder, 'bin') };
      const said = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const child = spawn(busybox, ['sh', '-c', script], { env });
          const [out] = await Promise.all([text(child.stdout), once(child, 'close')]);
          return out;
        }),
      );
      expect(new Set(said)).toEqual(new Set(['kept\n']));
      expect(await readFile(join(kept, 'main.kept'), 'utf8')).toBe('third\n');
      expect(await readFile(join(kept, 'main'), 'utf8')).toBe('');
    });

    it.each([
      ['good', 0, /^(?!.*HTTP)/s],
      ['bad', 1, /^HTTP 404: hello$/m],
      ['open', 0, /^(?!.*refused)/s],
      ['nothing', 1, /^nc: .*Connection refused$/m],
      ['refused', 1, /^nc: .*Connection refused$/m],
    ] as const)('in a task of Swarm end as Docker reads it: %s', async (name, code, said) => {
      const { exitCode, output } = await check({ liveness: probe(actions[name]) });
      expect(exitCode).toBe(code);
      expect(output).toMatch(said);
    });

    it('in a task of Swarm ask by the startup probe until it has succeeded, and then by the liveness probe', async () => {
      const mark = join(folder, 'started');
      const good = probe(actions.good);
      const bad = probe(actions.bad);
      const ill = {
        exitCode: 1,
        output: expect.stringMatching(/^startup probe:\n.*HTTP 404: hello\n$/s) as string,
      };
      expect(await check({ startup: bad, liveness: good }, mark)).toEqual(ill);
      expect(await check({ startup: bad }, mark)).toEqual(ill);
      const begun = { startup: good, liveness: bad };
      expect(await check(begun, mark)).toEqual({ exitCode: 0, output: '' });
      const sick = { exitCode: 1, output: expect.stringMatching(/^HTTP 404: hello$/m) as string };
      expect(await check(begun, mark)).toEqual(sick);
      expect(await check({ startup: bad }, mark)).toEqual({ exitCode: 0, output: '' });
    });

    it.each([
      ['that succeeds', ['/bin/sh', '-c', 'test "$1" = "a b"', 'sh', 'a b'], 0, ''],
      ['that fails', ['/bin/sh', '-c', 'echo broken; exit 3'], 1, 'exit code 3: broken\n'],
      ['without an end', ['/bin/sleep', '60'], 1, 'no end within 1 s\n'],
    ])(
      'in a task of Swarm run a command %s, of a startup and a liveness probe',
      async (what, command, exitCode, said) => {
        const exec: Probe = { ...probe({ kind: 'exec', command }), timeoutSeconds: 1 };
        const mark = join(folder, what);
        const output = exitCode === 0 ? '' : `startup probe:\n${said}`;
        expect(await check({ startup: exec }, mark)).toEqual({ exitCode, output });
        await writeFile(mark, '');
        const begun = { startup: probe(actions.good), liveness: exec };
        expect(await check(begun, mark)).toEqual({ exitCode, output: said });
      },
    );
  },
);
