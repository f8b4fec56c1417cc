import { once } from 'node:events';
import type { Terminal } from './terminal.ts';

/** That of this process. */
export function processTerminal(type: string): Terminal {
  const { stdin, stdout, stderr } = process;
  return {
    type,
    isInteractive: stdin.isTTY && stdout.isTTY,
    async *input() {
      for await (const chunk of stdin) yield chunk as Buffer;
    },
    closeInput: () => void stdin.destroy(),
    async write(stream, data) {
      const to = stream === 'stdout' ? stdout : stderr;
      if (!to.write(data)) await once(to, 'drain');
    },
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    onResize(listener) {
      stdout.on('resize', listener);
      return () => stdout.off('resize', listener);
    },
    setRaw: (raw) => void stdin.setRawMode(raw),
  };
}
