import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { RollbackRequest, RunLogQuery, RunQuery, viewRun } from '#core/api/run.ts';
import { UserError } from '#core/errors.ts';
import type { LogLine, RunStore } from '#core/ports.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { followRun } from '../follow-run.ts';
import type { Inbox } from '../inbox.ts';
import { closedSignal, openLineStream } from '../line-stream.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { readInput } from '../read-input.ts';
import type { RunArchive } from '../runs/run-archive.ts';

const HEARTBEAT_MS = 15_000;
const WHO = 'admin';
const IdPath = z.object({ id: z.string() });

export interface RunDependencies {
  runs: RunStore;
  archive: Pick<RunArchive, 'reader'>;
  orchestrator: Orchestrator;
  inbox: Pick<Inbox, 'settled'>;
}

/** Runs: list, show, log, cancel, retry, roll back, and the stream of their changes. */
export async function runRoutes(
  app: FastifyInstance,
  { runs, archive, orchestrator, inbox }: RunDependencies,
): Promise<void> {
  async function known(params: unknown): Promise<Run> {
    const { id } = readInput(IdPath, params);
    const run = await runs.get(id);
    if (run !== undefined) return run;
    throw new UserError('not-found', `run ${id} is not known`, {
      hint: 'windlass runs lists them',
    });
  }

  app.get('/runs', async (request) => {
    const query = readInput(RunQuery, request.query);
    return { runs: (await runs.list(query)).map(viewRun) };
  });
  app.get('/runs/:id', async (request) => viewRun(await known(request.params)));
  app.post('/runs/:id/cancel', async (request) => {
    const { id } = await known(request.params);
    return viewRun(await orchestrator.cancel(id, WHO));
  });
  app.post('/runs/:id/retry', async (request) => {
    const { id } = await known(request.params);
    return viewRun(await orchestrator.retry(id, WHO));
  });
  app.post('/rollback', async (request) => {
    const { pipeline, ...wanted } = readInput(RollbackRequest, request.body);
    await inbox.settled();
    return viewRun(await orchestrator.rollback(pipeline, wanted, WHO));
  });

  app.get('/runs/:id/logs', async (request, reply) => {
    const run = await known(request.params);
    const { follow } = readInput(RunLogQuery, request.query);
    const signal = closedSignal(reply);
    const stream = openLineStream(reply, 'application/x-ndjson');
    function send(event: object): void {
      stream.write(`${JSON.stringify(event)}\n`);
    }
    function onRun(now: Run): void {
      send({ kind: 'run', run: viewRun(now) });
    }
    async function onLog(lines: readonly LogLine[]): Promise<void> {
      for (const line of lines) send({ kind: 'log', ...line });
      await stream.room();
    }
    try {
      if (follow === '1' && !isFinished(run)) {
        await followRun({ runs, archive }, run, { onRun, onLog }, signal);
      } else {
        for await (const lines of archive.reader(run).rest()) await onLog(lines);
        onRun(run);
      }
      stream.end();
    } catch (error) {
      if (!signal.aborted) request.log.error({ err: error }, 'a log could not be sent');
      stream.fail();
    }
    return reply;
  });

  app.get('/events', async (request, reply) => {
    const signal = closedSignal(reply);
    const stream = openLineStream(reply, 'text/event-stream');
    const heartbeat = setInterval(() => stream.write(': still here\n\n'), HEARTBEAT_MS);
    try {
      await runs.follow(
        undefined,
        (news) => {
          const data = news.kind === 'run' ? viewRun(news.run) : news;
          stream.write(`event: ${news.kind}\ndata: ${JSON.stringify(data)}\n\n`);
        },
        signal,
      );
      stream.end();
    } catch (error) {
      request.log.error({ err: error }, 'the event stream broke');
      stream.fail();
    } finally {
      clearInterval(heartbeat);
    }
    return reply;
  });
}
