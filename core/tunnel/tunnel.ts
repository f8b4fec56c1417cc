import type { Channel, Frame } from '#core/tunnel/frame.ts';

/** A two-way stream of frames between whoever asked and the deploy worker; the server passes them on unseen. */
export interface Tunnel {
  /** Resolves when there is room for more; rejects where the other side is gone. */
  send(channel: Channel, data?: Uint8Array): Promise<void>;
  /** As they come, until the other side is gone. To be iterated once. */
  frames: AsyncIterable<Frame>;
  /** After what was sent. */
  close(): void;
}
