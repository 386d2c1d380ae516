import { after, before } from 'node:test';
import { startPostgres } from '../harness/postgres.ts';
import { castoreTests } from './castore.ts';
import { martenTests } from './marten.ts';
import { pyeventsourcingTests } from './pyeventsourcing.ts';
import { railsEventStoreTests } from './rails-event-store.ts';
import type { Servers } from './round-trip.ts';

/** Stores that one pair of servers is enough for. */

let servers: Servers | undefined;
before(async () => {
  const [from, to] = await Promise.all([startPostgres(), startPostgres()]);
  servers = { from, to };
  await from.exec('DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
});
after(async () => {
  await servers?.from.stop();
  await servers?.to.stop();
});

const started = (): Servers => servers!;
castoreTests(started);
martenTests(started);
pyeventsourcingTests(started);
railsEventStoreTests(started);
