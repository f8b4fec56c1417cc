/** A process that can be killed between any two things it does. */
export interface Process {
  readonly isAlive: boolean;
  /** Resolves when it is this process's turn; never when it was killed. */
  turn(): Promise<void>;
  kill(): void;
  readonly killed: Promise<void>;
}

/** Processes that go on one step at a time, in whatever order is chosen. */
export interface Interleaving {
  startProcess(): Process;
  /**
   * Lets one of those that wait go on until they all wait again; answers whether one waited. Choices count from the
   * one that waits longest, negative ones from the other end.
   */
  step(choice: number): Promise<boolean>;
}

export function createInterleaving(): Interleaving {
  let waiting: { process: Process; goOn: () => void }[] = [];
  return {
    startProcess() {
      const { promise: killed, resolve } = Promise.withResolvers<void>();
      let isAlive = true;
      const process: Process = {
        get isAlive() {
          return isAlive;
        },
        turn: () =>
          new Promise((goOn) => {
            if (isAlive) waiting.push({ process, goOn });
          }),
        kill() {
          isAlive = false;
          waiting = waiting.filter((each) => each.process !== process);
          resolve();
        },
        killed,
      };
      return process;
    },
    async step(choice) {
      const [next] = waiting.splice(choice < 0 ? choice : choice % Math.max(1, waiting.length), 1);
      next?.goOn();
      await settled();
      return next !== undefined;
    },
  };
}

/** Until nothing goes on by itself: all that happens here are promises. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A port as the process uses it: killed before a call has an effect, or before it hears of it, it hears nothing. */
export function through<Port extends object>(process: Process, port: Port): Port {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        await process.turn();
        try {
          return await (Reflect.apply(member, target, args) as unknown);
        } finally {
          await process.turn();
        }
      };
    },
  });
}
