import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startPostgres } from '../harness/postgres.ts';
import { proveIncrementals } from '../harness/proof.ts';

test('incremental backups lose nothing while 8 writers commit late and backups are killed; naive ones do', async (context) => {
  const server = await startPostgres({ settings: { max_prepared_transactions: '20' } });
  const folder = await mkdtemp(join(tmpdir(), 'eventcore-proof-'));
  try {
    const result = await proveIncrementals(server, join(folder, 'vault'), {
      ...{ events: 12_000, writers: 8, maxDelayMs: 250, maxEventsPerInsert: 20 },
      ...{ pauseMs: 200, killEvery: 5, killWithinMs: 900, maxLinks: 25 },
    });
    context.diagnostic(JSON.stringify(result));
    assert.ok(result.events >= 12_000 && result.incrementals >= 10 && result.killed >= 1);
    for (const [predicate, lost] of Object.entries(result.naiveLost)) {
      assert.ok(lost > 0, `${predicate} lost nothing: the run was too tame to prove anything`);
    }
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
