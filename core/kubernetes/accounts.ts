import { z } from 'zod';
import type { OwnerKey } from '#core/owner.ts';

/** Of the pipelines that are not named. */
const ALL_OTHERS = '*';

const Account = z.string().regex(
  // It goes with each request in a header, which takes no other characters.
  /^[!-9;-~][!-~]*$/,
  'must be the name of an account in ASCII, e.g. system:serviceaccount:shop:deploy',
);

/** As which account each pipeline acts, by its name; `*` for all others. */
export const Accounts = z.record(
  z.string().regex(/^(\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$/, 'must be the name of a pipeline, or *'),
  Account,
);
export type Accounts = z.infer<typeof Accounts>;

/** Absent where it acts as Windlass itself. */
export function accountOf(accounts: Accounts, owner: OwnerKey): string | undefined {
  const [pipeline = ''] = owner.split('/');
  const name = Object.hasOwn(accounts, pipeline) ? pipeline : ALL_OTHERS;
  return Object.hasOwn(accounts, name) ? accounts[name] : undefined;
}
