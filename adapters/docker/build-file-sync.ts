import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { BuildContext, ContextEntry, FileTimes } from '#adapters/docker/build-context.ts';
import { PACKET } from '#adapters/docker/build-protocol.ts';
import type { Packet } from '#adapters/docker/build-protocol.ts';

/** Go's os.FileMode, which the protocol uses. */
const MODE_DIRECTORY = 0x80000000;
const MODE_LINK = 0x08000000;
const CHUNK_BYTES = 64 * 1_024;
const FILES_AT_ONCE = 8;

type SyncCall = ServerDuplexStream<Packet, Packet>;

/** Something to send: an entry of the context, or a file we hold in memory. */
type Sent = ContextEntry | { kind: 'memory'; path: string; content: Buffer };

/**
 * Answers BuildKit's request for a folder: first what there is, then the content of each file it asks for, which are
 * those that changed since it last saw this context. A file of the same size and time counts as unchanged.
 */
export function syncFiles(call: SyncCall, context: BuildContext, times: FileTimes): void {
  const files = requested(call, context);
  const listed = sendList(call, files, times);
  const inTurn = createTurns(FILES_AT_ONCE);
  function fail(error: unknown): void {
    call.destroy(error instanceof Error ? error : new Error(String(error)));
  }
  call.on('data', (packet: Packet) => {
    inTurn(() => listed.then(() => answer(call, files, packet))).catch(fail);
  });
  listed.catch(fail);
}

/** Begins work in order, `limit` at a time. */
function createTurns(limit: number): (work: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async function inTurn(work) {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/** `.dockerignore` was respected already, so none is shown to BuildKit when it looks for one. */
function requested(call: SyncCall, { entries, dockerfile }: BuildContext): readonly Sent[] {
  const [name] = call.metadata.get('dir-name');
  if (name === 'dockerfile')
    return [{ kind: 'memory', path: dockerfile.name, content: dockerfile.content }];
  const only = call.metadata.get('include-patterns');
  return only.length === 0 ? entries : [];
}

async function sendList(call: SyncCall, files: readonly Sent[], times: FileTimes): Promise<void> {
  for (const file of files) await write(call, { type: PACKET.stat, stat: statOf(file, times) });
  await write(call, { type: PACKET.stat });
}

async function answer(call: SyncCall, files: readonly Sent[], packet: Packet): Promise<void> {
  if (packet.type === PACKET.request) {
    await sendContent(call, files[packet.ID ?? 0], packet.ID ?? 0);
  } else if (packet.type === PACKET.end) {
    await write(call, { type: PACKET.end });
    call.end();
  } else if (packet.type === PACKET.error) {
    throw new Error(`BuildKit refused the context: ${String(packet.data)}`);
  }
}

async function sendContent(call: SyncCall, file: Sent | undefined, ID: number): Promise<void> {
  if (file?.kind === 'memory') await write(call, { type: PACKET.data, ID, data: file.content });
  else if (file?.kind === 'file') await sendFile(call, file, ID);
  await write(call, { type: PACKET.data, ID });
}

async function sendFile(
  call: SyncCall,
  { source, size }: Extract<Sent, { kind: 'file' }>,
  ID: number,
): Promise<void> {
  if (size <= CHUNK_BYTES) {
    if (size > 0) await write(call, { type: PACKET.data, ID, data: await readFile(source) });
    return;
  }
  const content = createReadStream(source, { highWaterMark: CHUNK_BYTES });
  for await (const data of content)
    await write(call, { type: PACKET.data, ID, data: data as Buffer });
}

async function write(call: SyncCall, packet: Packet): Promise<void> {
  if (!call.write(packet)) await once(call, 'drain');
}

function statOf(file: Sent, times: FileTimes): NonNullable<Packet['stat']> {
  const common = {
    path: file.path,
    uid: 0,
    gid: 0,
    size: 0,
    linkname: '',
    modTime: String(file.kind === 'file' ? times.of(file.source) : times.commit),
  };
  switch (file.kind) {
    case 'directory':
      return { ...common, mode: MODE_DIRECTORY + 0o755 };
    case 'link':
      return { ...common, mode: MODE_LINK + 0o777, linkname: file.target };
    case 'memory':
      return { ...common, mode: 0o644, size: file.content.length };
    case 'file':
      return { ...common, mode: file.executable ? 0o755 : 0o644, size: file.size };
  }
}
