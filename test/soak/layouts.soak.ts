/** Proves that incremental backups of stores of others miss nothing, at length: `npm run soak:layouts [-- EVENTS [STORE…]]`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../harness/postgres.ts';
import { proveIncrementals } from '../harness/proof.ts';
import { PROVEN_EMMETT, PROVEN_MESSAGE_DB } from '../layouts/proven.ts';
import {
  PROVEN_CASTORE,
  PROVEN_MARTEN,
  PROVEN_PYEVENTSOURCING,
  PROVEN_RAILS_EVENT_STORE,
} from '../layouts/proven-published.ts';

const STORES = {
  emmett: PROVEN_EMMETT,
  'message-db': PROVEN_MESSAGE_DB,
  marten: PROVEN_MARTEN,
  'rails-event-store': PROVEN_RAILS_EVENT_STORE,
  pyeventsourcing: PROVEN_PYEVENTSOURCING,
  castore: PROVEN_CASTORE,
};
const events = Number(process.argv[2] ?? 100_000);
const wanted = process.argv.slice(3);
const server = await startPostgres({
  settings: { max_prepared_transactions: '40', shared_buffers: '512MB', max_wal_size: '4GB' },
});
const folder = await mkdtemp(join(tmpdir(), 'eventcore-proof-'));
let saidAt = 0;
try {
  for (const [name, proven] of Object.entries(STORES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const result = await proveIncrementals(server, join(folder, name), {
      ...{ proven, events, writers: 10, maxDelayMs: 400, maxEventsPerInsert: 40 },
      ...{ pauseMs: 300, killEvery: 5, killWithinMs: 900, maxLinks: 60 },
      onProgress: (text) => {
        if (Date.now() - saidAt < 10_000) return;
        saidAt = Date.now();
        console.log(`${name}: ${text}`);
      },
    });
    const { incrementals, killed, fulls } = result;
    console.log(
      `${name}: 0 lost, 0 doubled of ${result.events} events, in ${incrementals} incremental backups`,
    );
    console.log(`${name}: ${killed} backups were killed, ${fulls} full ones began a chain`);
    for (const [predicate, lost] of Object.entries(result.naiveLost)) {
      console.log(`${name}: ${predicate}: ${lost} lost`);
    }
  }
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
