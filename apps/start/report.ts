/** What the person at the terminal reads while it starts. */
export interface Report {
  line(text: string): void;
  /** Tells of a piece of work when it is done, with how long it took. */
  step<T>(name: string, work: () => Promise<{ told: string; value: T }>): Promise<T>;
}

export function createReport(write: (text: string) => void): Report {
  function line(text: string): void {
    write(`${text}\n`);
  }
  return {
    line,
    async step(name, work) {
      const begun = performance.now();
      const { told, value } = await work();
      const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
      line(`  ${name.padEnd(10)} ${told} (${seconds} s)`);
      return value;
    },
  };
}
