import { createServer } from 'node:net';

/** The first port from `first` on that nobody listens on. */
export async function firstFreePort(first: number, host: string): Promise<number> {
  let port = first;
  while (!(await isFree(port, host))) port += 1;
  return port;
}

export function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
