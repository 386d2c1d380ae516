/** Proves that incremental backups miss nothing, at length: `npm run soak:incremental [-- EVENTS]`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../harness/postgres.ts';
import { proveIncrementals } from '../harness/proof.ts';

const events = Number(process.argv[2] ?? 1_000_000);
const server = await startPostgres({
  settings: { max_prepared_transactions: '40', shared_buffers: '512MB', max_wal_size: '4GB' },
});
const folder = await mkdtemp(join(tmpdir(), 'eventcore-proof-'));
let saidAt = 0;
try {
  const result = await proveIncrementals(server, join(folder, 'vault'), {
    ...{ events, writers: 12, maxDelayMs: 400, maxEventsPerInsert: 90 },
    ...{ pauseMs: 300, killEvery: 5, killWithinMs: 900, maxLinks: 120 },
    onProgress: (text) => {
      if (Date.now() - saidAt < 10_000) return;
      saidAt = Date.now();
      console.log(text);
    },
  });
  console.log(`0 lost, 0 doubled of ${result.events} events, in ${result.incrementals} incremental backups`);
  console.log(`${result.killed} backups were killed, ${result.fulls} full ones began a chain`);
  for (const [predicate, lost] of Object.entries(result.naiveLost)) console.log(`${predicate}: ${lost} lost`);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
