import { RunLogEvent } from '#core/api/run.ts';
import { isFinished } from '#core/run/run.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';
import type { CliContext } from './context.ts';
import { painter } from './format/colour.ts';
import { runVerdict } from './format/run.ts';
import { printedLine } from './format/terminal.ts';

/** Prints a run's log; following, to its end, and then exits 1 unless it succeeded. */
export async function printRunLog(
  context: CliContext,
  client: ApiClient,
  id: string,
  { follow, json }: { follow: boolean; json: boolean },
): Promise<void> {
  const paint = painter(context.colour);
  const path = apiPath(['runs', id, 'logs'], { follow: follow ? '1' : undefined });
  for await (const event of client.stream(path, RunLogEvent)) {
    if (json) context.out(JSON.stringify(event));
    else if (event.kind === 'log')
      context.out(`${paint('dim', `${event.step} |`)} ${printedLine(event.line, context.colour)}`);
    if (!follow || event.kind !== 'run' || !isFinished(event.run)) continue;
    if (!json) runVerdict(event.run, paint).forEach((line) => context.out(line));
    if (event.run.state !== 'succeeded') context.setExitCode(1);
  }
}
