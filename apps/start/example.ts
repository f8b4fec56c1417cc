import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '#core/errors.ts';
import type { Embedded } from './embedded.ts';
import { answersWithin } from './first-answer.ts';
import { pushExample } from './push-example.ts';
import type { Report } from './report.ts';

const URL = 'http://127.0.0.1:30080/';
const FIRST_ANSWER_MS = 30_000;
const LATER_ANSWER_MS = 10_000;

export interface ExampleRequest {
  stateDir: string;
  /** Folder with the example's files. */
  example: string;
  path: string;
  embedded: Embedded;
  report: Report;
}

/** Where the example answers, as a request has shown. The first start brings it there with a push. */
export async function showExample(
  request: ExampleRequest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const marker = join(request.stateDir, 'example-deployed');
  if (await exists(marker)) {
    return (await answersWithin(URL, LATER_ANSWER_MS, signal)) ? URL : undefined;
  }
  const { example, path, embedded, report } = request;
  const remote = `${embedded.url}/git/hello.git`;
  report.line(`\nThe example application: git push ${remote} main`);
  const push = { example, remote, token: embedded.adminToken, path };
  await pushExample(push, (line) => report.line(`  ${line}`), signal);
  if (!(await answersWithin(URL, FIRST_ANSWER_MS, signal))) {
    throw new UserError('unavailable', `the example is deployed and does not answer on ${URL}`);
  }
  await writeFile(marker, `${new Date().toISOString()}\n`);
  return URL;
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
