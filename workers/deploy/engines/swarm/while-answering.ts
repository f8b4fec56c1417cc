/**
 * Work with a server, which ends once the server answers no more: what a dead one was asked is otherwise waited for until
 * each request's own time is up.
 */
export async function whileAnswering<T>(
  { answers, everyMs }: { answers: () => Promise<boolean>; everyMs: number },
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const gone = new AbortController();
  let asking = false;

  async function ask(): Promise<void> {
    if (asking) return;
    asking = true;
    try {
      if (!(await answers())) gone.abort(new Error('the server answers no more'));
    } catch {
      // Aborted, as the work is too.
    } finally {
      asking = false;
    }
  }

  const timer = setInterval(() => void ask(), everyMs);
  try {
    return await work(AbortSignal.any([signal, gone.signal]));
  } finally {
    clearInterval(timer);
  }
}
