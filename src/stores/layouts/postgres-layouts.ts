import { EMMETT } from './emmett-postgres.ts';
import { LAYOUT_NAME } from './eventcore-postgres.ts';
import type { ForeignLayout } from './foreign.ts';
import { MESSAGE_DB } from './message-db.ts';

/** Event stores of others that are known, in the order in which they are looked for. */
export const FOREIGN_LAYOUTS: readonly ForeignLayout[] = [EMMETT, MESSAGE_DB];

export const LAYOUT_NAMES: readonly string[] = [LAYOUT_NAME, ...FOREIGN_LAYOUTS.map(({ name }) => name)];
