import { z } from 'zod';

/** What a frame carries; its first byte. Input goes to the cluster, the rest comes from there. */
export const CHANNEL = {
  input: 0,
  stdout: 1,
  stderr: 2,
  /** `End`: the last frame. */
  end: 3,
  /** `TerminalSize`. */
  resize: 4,
  /** No more input comes. */
  inputEnd: 5,
  /** `Start`: the first frame of a command. */
  start: 6,
} as const;
export type Channel = (typeof CHANNEL)[keyof typeof CHANNEL];

export interface Frame {
  channel: number;
  data: Uint8Array;
}

export const TerminalSize = z.strictObject({
  columns: z.int().min(1).max(10_000),
  rows: z.int().min(1).max(10_000),
});
export type TerminalSize = z.infer<typeof TerminalSize>;

/** A command to run. It travels in the tunnel and nowhere else: it may hold a password. */
export const Start = z.strictObject({
  command: z.array(z.string()).min(1),
  /** Of the terminal that it runs on; absent: it runs on none. */
  terminal: TerminalSize.extend({ type: z.string().max(100) }).exactOptional(),
});
export type Start = z.infer<typeof Start>;

export const End = z.strictObject({
  exitCode: z.int().exactOptional(),
  error: z.string().exactOptional(),
});
export type End = z.infer<typeof End>;

export function encodeFrame(channel: Channel, data: Uint8Array = new Uint8Array()): Uint8Array {
  const frame = new Uint8Array(data.length + 1);
  frame[0] = channel;
  frame.set(data, 1);
  return frame;
}

export function decodeFrame(message: Uint8Array): Frame {
  return { channel: message[0] ?? -1, data: message.subarray(1) };
}

export function encodeJson(value: Start | End | TerminalSize): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** @throws where it is no JSON or not as the schema says */
export function decodeJson<Schema extends z.ZodType>(
  schema: Schema,
  data: Uint8Array,
): z.infer<Schema> {
  return schema.parse(JSON.parse(new TextDecoder().decode(data)));
}
