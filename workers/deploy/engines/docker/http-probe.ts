import type { ProbeResult } from './fold-probe.ts';

/** Any status from 200 to below 400 is good. */
export function httpResult(status: number, body: string): ProbeResult {
  const ok = status >= 200 && status < 400;
  const text = printable(body);
  return { ok, answer: text === '' || ok ? `HTTP ${status}` : `HTTP ${status}: ${text}` };
}

/** `nc: can't connect to remote host (10.88.0.7): Connection refused` without its first half. */
export function connectionProblem(message: string): string {
  if (/timed out/i.test(message)) return 'connection timed out';
  return (/^nc: .*: ([^:]+)$/.exec(message)?.[1] ?? message).toLowerCase();
}

function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is removed
  return text.replaceAll(/[\u0000-\u001f\u007f\ufffd]/g, '').trim();
}
