import { readFileSync } from 'node:fs';
import type { Expectations } from './expect.ts';

/** Whether this machine, on which Docker runs too, has what a behaviour needs. */
export const MACHINE_HAS: Record<Expectations['needs'][number], () => boolean> = {
  allCapabilities() {
    const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
    const [, bounds = '0'] =
      /^CapBnd:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return BigInt(`0x${bounds}`) === 2n ** BigInt(last + 1) - 1n;
  },
  sharedMounts() {
    return / \/ \/ \S+ .*shared:/.test(readFileSync('/proc/self/mountinfo', 'utf8'));
  },
};
