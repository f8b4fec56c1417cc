import type { RunStore, ServerApi } from '#core/ports.ts';
import { through } from './interleaving.ts';
import type { Process } from './interleaving.ts';

const DIED = Symbol('the server died');

/** The store as a process uses it; news reach it one after the other, each at a time of its own. */
export function storeOf(process: Process, runs: RunStore): RunStore {
  return {
    ...through(process, runs),
    follow(id, onNews, signal) {
      let told = Promise.resolve();
      return runs.follow(
        id,
        (news) => {
          told = told.then(() => process.turn()).then(() => onNews(news));
        },
        signal,
      );
    },
  };
}

/** Where the server's process is to be found. */
export interface ServerAddress {
  alive(): Process | undefined;
  /** Resolves when it is started the next time. */
  started(): Promise<void>;
}

/** Calls of a worker to whatever server there is: one that died over a call is asked again when it is back. */
export function serverOf(worker: Process, address: ServerAddress, api: ServerApi): ServerApi {
  async function ask(name: string | symbol, args: readonly unknown[]): Promise<unknown> {
    await worker.turn();
    const server = address.alive();
    if (server === undefined) {
      await address.started();
      return ask(name, args);
    }
    const died = server.killed.then(() => DIED);
    const answer = await Promise.race([call(through(server, api), name, args), died]);
    await worker.turn();
    return answer === DIED ? ask(name, args) : answer;
  }
  return new Proxy(api, {
    get:
      (_target, name) =>
      (...args: unknown[]) =>
        ask(name, args),
  });
}

async function call(
  port: object,
  name: string | symbol,
  args: readonly unknown[],
): Promise<unknown> {
  const method = Reflect.get(port, name) as (...args: readonly unknown[]) => Promise<unknown>;
  return method(...args);
}
