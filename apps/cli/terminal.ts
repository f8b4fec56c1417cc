import type { TerminalSize } from '#core/tunnel/frame.ts';

/** Where a command that runs elsewhere gets its input from and puts its output. */
export interface Terminal {
  /** As programs there know it, e.g. `xterm-256color`. */
  readonly type: string;
  /** Both input and output are a terminal. */
  readonly isInteractive: boolean;
  /** To its end, or until `closeInput`. */
  input(): AsyncIterable<Uint8Array>;
  /** Nobody reads it any more: it does not keep the process alive. */
  closeInput(): void;
  write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void>;
  size(): TerminalSize;
  /** Answers how to stop listening. */
  onResize(listener: () => void): () => void;
  /** Whether keys go through as they are, Ctrl-C too. */
  setRaw(raw: boolean): void;
}
