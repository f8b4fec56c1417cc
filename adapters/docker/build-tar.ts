import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { Header, Pack } from 'tar-stream';
import type { BuildContext, ContextEntry, FileTimes } from '#adapters/docker/build-context.ts';

/** A name no repository has. The classic builder takes the file out again, because `.dockerignore` names it. */
export const SENT_DOCKERFILE = '.windlass.dockerfile';

/** The context as the classic builder wants it. Equal contexts give equal bytes. */
export function tarContext(context: BuildContext, times: FileTimes, signal: AbortSignal): Readable {
  const tar = pack();
  fill(tar, context, times, signal).then(
    () => tar.finalize(),
    (error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return Readable.from(tar, { objectMode: false });
}

async function fill(
  tar: Pack,
  { entries, dockerfile, ignored }: BuildContext,
  times: FileTimes,
  signal: AbortSignal,
): Promise<void> {
  const mtime = dateOf(times.commit);
  const ignoreText = `${ignored ?? '.dockerignore'}\n${SENT_DOCKERFILE}\n`;
  await addText(tar, { name: '.dockerignore', mtime }, Buffer.from(ignoreText));
  await addText(tar, { name: SENT_DOCKERFILE, mtime }, dockerfile.content);
  for (const entry of entries) {
    signal.throwIfAborted();
    if (entry.path !== '.dockerignore') await add(tar, entry, times);
  }
}

async function add(tar: Pack, entry: ContextEntry, times: FileTimes): Promise<void> {
  const mtime = dateOf(entry.kind === 'file' ? times.of(entry.source) : times.commit);
  const common = { name: entry.path, mtime, uid: 0, gid: 0 };
  switch (entry.kind) {
    case 'directory':
      return addText(tar, { ...common, type: 'directory', mode: 0o755 }, Buffer.alloc(0));
    case 'link':
      return addText(tar, { ...common, type: 'symlink', linkname: entry.target }, Buffer.alloc(0));
    case 'file': {
      const mode = entry.executable ? 0o755 : 0o644;
      return pipeline(
        createReadStream(entry.source),
        tar.entry({ ...common, mode, size: entry.size }),
      );
    }
  }
}

function dateOf(nanoseconds: bigint): Date {
  return new Date(Number(nanoseconds / 1_000_000n));
}

function addText(
  tar: Pack,
  header: Partial<Header> & Pick<Header, 'name'>,
  content: Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry(header, content, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}
