import { CASTORE } from './castore.ts';
import { EMMETT } from './emmett-postgres.ts';
import { LAYOUT_NAME } from './eventcore-postgres.ts';
import type { ForeignLayout } from './foreign.ts';
import { MARTEN } from './marten.ts';
import { MESSAGE_DB } from './message-db.ts';
import { PYEVENTSOURCING } from './pyeventsourcing.ts';
import { RAILS_EVENT_STORE } from './rails-event-store.ts';

/** Event stores of others that are known, in the order in which they are looked for. */
export const FOREIGN_LAYOUTS: readonly ForeignLayout[] = [
  EMMETT,
  MESSAGE_DB,
  MARTEN,
  RAILS_EVENT_STORE,
  PYEVENTSOURCING,
  CASTORE,
];

export const LAYOUT_NAMES: readonly string[] = [LAYOUT_NAME, ...FOREIGN_LAYOUTS.map(({ name }) => name)];
