import { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { createDemux } from './demux.ts';
import { startExec } from './exec.ts';

/**
 * A command in a container as a two-way stream: what it writes is read, what is written it reads. What it says on its
 * standard error ends the stream with that as the error.
 */
export async function openExecDuplex(
  docker: Docker,
  container: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<Duplex> {
  const { stream } = await startExec(docker, container, command, 'open', signal);
  const feed = createDemux();
  let said = '';
  const duplex = new Duplex({
    read: () => void stream.resume(),
    write: (chunk: Buffer, _, done) => void stream.write(chunk, done),
    final: (done) => void stream.end(done),
    destroy: (error, done) => {
      stream.destroy();
      done(error);
    },
  });
  stream.on('data', (chunk: Buffer) => {
    for (const { stream: name, data } of feed(chunk)) {
      if (name === 'stderr') said += data.toString();
      else if (!duplex.push(data)) stream.pause();
    }
  });
  stream.on('close', () => {
    if (said !== '') duplex.destroy(new Error(said.trim()));
    else if (stream.errored !== null) duplex.destroy(stream.errored);
    else duplex.push(null);
  });
  return duplex;
}
