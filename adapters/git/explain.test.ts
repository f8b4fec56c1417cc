import { describe, expect, it } from 'vitest';
import { explainFetch, isBrokenRepository, redactText } from './explain.ts';

const URL = 'https://git.example.org/team/web.git';

describe('explainFetch', () => {
  it.each([
    ["fatal: Authentication failed for 'https://x/'", 'unauthorized', false],
    ['Host key verification failed.\nfatal: Could not read from remote', 'unauthorized', false],
    ["remote: Repository not found.\nfatal: repository 'https://x/' not found", 'not-found', false],
    [
      'fatal: unable to update url base from redirection:\n asked for: a\n redirect: b',
      'not-found',
      false,
    ],
    [
      'ssh -F /dev/null: 1: ssh: not found\nfatal: Could not read from remote',
      'missing-tool',
      false,
    ],
    ['fatal: could not read Username for x: terminal prompts disabled', 'unauthorized', false],
    [
      'Load key "/x/key": error in libcrypto\nx: Permission denied (publickey).',
      'unauthorized',
      false,
    ],
    ['fatal: unable to access x: Problem with the SSL CA cert (path?)', 'unauthorized', false],
    ['fatal: unable to access x: SSL certificate problem: self-signed', 'unauthorized', false],
    ["fatal: transport 'ext' not allowed", 'unsupported', false],
    ['fatal: unable to access: Could not resolve host: git.example.org', 'unavailable', true],
    ['fatal: unable to access: The requested URL returned error: 301', 'not-found', false],
    ['fatal: early EOF\nfatal: fetch-pack: invalid index-pack output', 'unavailable', true],
    ['error: RPC failed; curl 28 Operation too slow', 'timeout', true],
    ['block timeout reached', 'timeout', true],
    ['fatal: write error: No space left on device', 'unavailable', false],
    ["fatal: sha1 file 'x' write error. Out of diskspace", 'unavailable', false],
  ])('takes %j for %s', (text, code, transient) => {
    expect(explainFetch(URL, new Error(text))).toMatchObject({ code, transient });
  });
});

it('tells what ssh said rather than that git failed', () => {
  const text =
    'ssh: Could not resolve hostname x: Name\nfatal: Could not read from remote\n\nPlease';
  expect(explainFetch(URL, new Error(text)).message).toContain('Could not resolve hostname x');
});

describe('isBrokenRepository', () => {
  it.each([
    ['fatal: not a git repository: /state/build/mirrors/x', true],
    ['error: object file objects/ab/cd is empty\nfatal: loose object abcd is corrupt', true],
    ["error: cannot lock ref 'refs/heads/main': Unable to create", true],
    ["fatal: '/nowhere' does not appear to be a git repository", false],
    ['fatal: early EOF', false],
  ])('%j: %s', (text, broken) => {
    expect(isBrokenRepository(new Error(text))).toBe(broken);
  });
});

describe('redactText', () => {
  it.each([
    ['https://me:secret@host/x.git', 'https://***@host/x.git'],
    ["unable to access 'https://token@host/x'", "unable to access 'https://***@host/x'"],
    ['git@host:team/x.git', 'git@host:team/x.git'],
    ['ssh://git@host/x', 'ssh://git@host/x'],
    ['ssh://git:secret@host/x', 'ssh://git:***@host/x'],
    ['git+ssh://git:secret@host/x', 'git+ssh://***@host/x'],
  ])('%s', (text, shown) => {
    expect(redactText(text)).toBe(shown);
  });
});
