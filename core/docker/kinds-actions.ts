import { z } from 'zod';
import { Port, PortName } from '#core/docker/kind-words.ts';

const ProbePort = z.union([Port, PortName]);

export const Command = z.array(z.string()).nonempty();

export const HttpGet = z.strictObject({
  path: z
    .string()
    .regex(/^\/[\x21-\x7e]*$/, 'must begin with / and hold no spaces')
    .default('/'),
  port: ProbePort,
  host: z.string().min(1).optional(),
  scheme: z.enum(['HTTP', 'HTTPS']).default('HTTP'),
  httpHeaders: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a header name'),
        value: z.string().regex(/^[\x20-\x7e]*$/, 'must be printable ASCII'),
      }),
    )
    .default([]),
});
export type HttpGet = z.infer<typeof HttpGet>;

export const TcpSocket = z.strictObject({ port: ProbePort, host: z.string().min(1).optional() });
