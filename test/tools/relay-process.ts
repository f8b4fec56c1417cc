import { startGate } from './gate.ts';
import type { Address } from './gate.ts';

/**
 * Leads from an address to another, as JSON in its arguments, where it runs: in another network, it may be. It ends with
 * its input, and so with whoever started it.
 */
const [listen, target] = process.argv.slice(2).map((text) => JSON.parse(text) as Address);
if (listen === undefined || target === undefined) throw new Error('from where to where?');
await startGate(target, listen);
process.stdin.once('end', () => process.exit()).resume();
process.stdout.write('ready\n');
