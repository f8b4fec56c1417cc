import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import { inspect } from 'node:util';
import { UserError } from '#core/errors.ts';

/** So many streams stay open when nothing uses them. */
const IDLE_MOST = 32;

/** Lets an HTTP client speak over streams that are opened on demand, until it is destroyed. */
export class StreamAgent extends Agent {
  readonly #open: () => Promise<Duplex>;
  readonly #streams = new Set<Duplex>();
  #isDestroyed = false;

  constructor(open: () => Promise<Duplex>) {
    super({ keepAlive: true, maxFreeSockets: IDLE_MOST });
    this.#open = open;
  }

  override createConnection(
    _options: unknown,
    done: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#openOne().then(
      (stream) => done(null, stream),
      (error: Error) => done(error, undefined as unknown as Duplex),
    );
  }

  async #openOne(): Promise<Duplex> {
    this.#throwIfDestroyed();
    const stream = await this.#open();
    // Whoever uses it hears of it too.
    stream.on('error', () => {});
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    if (this.#isDestroyed) stream.destroy();
    this.#throwIfDestroyed();
    return stream;
  }

  #throwIfDestroyed(): void {
    if (this.#isDestroyed)
      throw new UserError('cancelled', 'the connection to Docker was closed on this side');
  }

  /** docker-modem writes out what each request is made with, for its log that nobody reads: connections, buffers and all. */
  [inspect.custom](): string {
    return StreamAgent.name;
  }

  override destroy(): void {
    this.#isDestroyed = true;
    super.destroy();
    // Those that carry a command are no business of the agent's any more.
    for (const stream of this.#streams) stream.destroy();
  }
}
