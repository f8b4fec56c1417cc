import type { RunView } from '#core/api/run.ts';
import type { ApiClient } from './client.ts';
import type { CliContext } from './context.ts';
import { printRunLog } from './run-log.ts';

export interface StartedOptions {
  follow?: boolean;
  json?: boolean;
}

/** Tells of a run that a command has begun, and follows it where asked. */
export async function reportStarted(
  context: CliContext,
  client: ApiClient,
  run: RunView,
  { follow = false, json = false }: StartedOptions,
): Promise<void> {
  if (follow) {
    await printRunLog(context, client, run.id, { follow, json });
    return;
  }
  context.out(json ? JSON.stringify(run) : `run ${run.id} has begun`);
  if (!json) context.note(`follow it: windlass logs ${run.id} -f`);
}
