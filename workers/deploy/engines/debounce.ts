/** The first of several calls is told at once, and then at most one each `ms`. */
export function debounce(
  call: (what: string) => void,
  ms: number,
): { ring: (what: string) => void; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let last: string | undefined;
  function rest(): void {
    timer = setTimeout(() => {
      timer = undefined;
      if (last !== undefined) ring(last);
    }, ms);
  }
  function ring(what: string): void {
    last = what;
    if (timer !== undefined) return;
    last = undefined;
    rest();
    call(what);
  }
  return { ring, stop: () => clearTimeout(timer) };
}
