import { connect } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { HookAnswer, HookCall } from './protocol.ts';

const UNREACHABLE = 'windlass: the server does not answer its hook; what is stored is run later';

/** Run by git within a push: passes it on to the server and prints what that answers. */
async function callServer(): Promise<number> {
  const { env } = process;
  const phase = process.argv[2] === 'pre-receive' ? 'pre-receive' : 'post-receive';
  const lines = (await text(process.stdin)).split('\n').filter((line) => line !== '');
  const directory = env['GIT_QUARANTINE_PATH'] ?? env['GIT_OBJECT_DIRECTORY'];
  const call: HookCall = {
    phase,
    repository: env['WINDLASS_REPOSITORY'] ?? '',
    url: env['WINDLASS_URL'] ?? '',
    who: env['REMOTE_USER'] ?? 'unknown',
    updates: lines.map((line) => {
      const [before = '', after = '', ...ref] = line.split(' ');
      return { before, after, ref: ref.join(' ') };
    }),
    pushOptions: Array.from(
      { length: Number(env['GIT_PUSH_OPTION_COUNT'] ?? 0) },
      (_, index) => env[`GIT_PUSH_OPTION_${index}`] ?? '',
    ),
    ...(directory === undefined
      ? {}
      : {
          objects: {
            directory: resolve(directory),
            alternates: env['GIT_ALTERNATE_OBJECT_DIRECTORIES'] ?? '',
          },
        }),
  };
  const socket = connect(env['WINDLASS_HOOK_SOCKET'] ?? '');
  let failed = false;
  socket.on('error', () => {
    failed = true;
  });
  socket.write(`${JSON.stringify(call)}\n`);
  let exit: number | undefined;
  try {
    for await (const line of createInterface({ input: socket })) {
      const answer = JSON.parse(line) as HookAnswer;
      if ('exit' in answer) exit = answer.exit;
      else process.stderr.write(`${answer.line}\n`);
    }
  } catch {
    failed = true;
  }
  if (failed || exit === undefined) process.stderr.write(`${UNREACHABLE}\n`);
  return exit ?? (phase === 'pre-receive' ? 1 : 0);
}

process.exitCode = await callServer();
