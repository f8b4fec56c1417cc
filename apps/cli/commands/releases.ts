import type { Command } from 'commander';
import { ReleaseList } from '#core/api/release.ts';
import { displayText } from '#core/present/display.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findEntry } from '../find-entry.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import type { Paint } from '../format/colour.ts';
import { shortCommit } from '../format/run.ts';
import { tableLines } from '../format/table.ts';
import { formatAge } from '../format/time.ts';

export function releasesCommand(context: CliContext): Command {
  return describeCommand('releases', 'list the releases of a deploy entry, newest first', [
    'windlass releases hello',
  ])
    .argument('<pipeline>')
    .argument('[entry]', 'the deploy entry; may be left out where there is one')
    .action(async (pipeline: string, entry: string | undefined, options: JsonOption) =>
      listReleases(context, pipeline, entry, options),
    );
}

async function listReleases(
  context: CliContext,
  pipeline: string,
  named: string | undefined,
  options: JsonOption,
): Promise<void> {
  const client = await connect(context);
  const entry = await findEntry(client, pipeline, named);
  const list = await client.get(apiPath(['releases', pipeline, entry]), ReleaseList);
  if (options.json) {
    context.out(JSON.stringify(list));
    return;
  }
  const lines = releaseLines(list.releases, painter(context.colour), context.now());
  for (const line of lines) context.out(line);
}

function releaseLines(releases: ReleaseList['releases'], paint: Paint, now: number): string[] {
  if (releases.length === 0) return ['no releases yet'];
  return tableLines(
    ['RELEASE', 'SOURCE', 'HEALTHY', 'AGE', 'SUBJECT'],
    releases.map((release) => [
      shortCommit(release.commit),
      shortCommit(release.source),
      release.healthy ? paint('green', 'yes') : '',
      formatAge(now - release.at),
      displayText(release.subject) +
        (release.restores === undefined ? '' : ` (restores ${shortCommit(release.restores)})`),
    ]),
  );
}
