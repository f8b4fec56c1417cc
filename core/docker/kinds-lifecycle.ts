import { z } from 'zod';
import { Command, HttpGet } from '#core/docker/kinds-actions.ts';

/** Those that Kubernetes takes of a pod on Linux. */
const PLAIN = [
  'ABRT',
  'ALRM',
  'BUS',
  'CHLD',
  'CLD',
  'CONT',
  'FPE',
  'HUP',
  'ILL',
  'INT',
  'IO',
  'IOT',
  'KILL',
  'PIPE',
  'POLL',
  'PROF',
  'PWR',
  'QUIT',
  'SEGV',
  'STKFLT',
  'STOP',
  'SYS',
  'TERM',
  'TRAP',
  'TSTP',
  'TTIN',
  'TTOU',
  'URG',
  'USR1',
  'USR2',
  'VTALRM',
  'WINCH',
  'XCPU',
  'XFSZ',
  'RTMIN',
  'RTMAX',
].map((name) => `SIG${name}`);
const REAL_TIME = /^SIGRTMIN\+([1-9]|1[0-5])$|^SIGRTMAX-([1-9]|1[0-4])$/;

const StopSignal = z
  .string()
  .refine((name) => PLAIN.includes(name) || REAL_TIME.test(name), 'must be a signal, e.g. SIGUSR1');

const Handler = z
  .strictObject({
    exec: z.strictObject({ command: Command }).optional(),
    httpGet: HttpGet.optional(),
    sleep: z.strictObject({ seconds: z.int().min(0) }).optional(),
  })
  .refine(
    (handler) => Object.values(handler).filter((action) => action !== undefined).length === 1,
    'must have one of exec, httpGet and sleep',
  );
export type Handler = z.infer<typeof Handler>;

export const Lifecycle = z.strictObject({
  postStart: Handler.optional(),
  preStop: Handler.optional(),
  stopSignal: StopSignal.optional(),
});
