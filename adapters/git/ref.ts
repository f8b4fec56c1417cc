import { UserError } from '#core/errors.ts';

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

export function isCommitId(text: string): boolean {
  return COMMIT.test(text);
}

/** Refuses what git would not take for a full ref, or might take for an option or a range. */
export function checkRef(ref: string): string {
  const parts = ref.split('/');
  const valid =
    ref.startsWith('refs/') &&
    parts.length > 2 &&
    // oxlint-disable-next-line no-control-regex -- git refuses control characters in refs
    !/[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\.$/.test(ref) &&
    parts.every((part) => part !== '' && !/^[-.]|\.lock$/.test(part));
  if (!valid)
    throw new UserError('invalid-input', `${JSON.stringify(ref)} is not the name of a ref`);
  return ref;
}
