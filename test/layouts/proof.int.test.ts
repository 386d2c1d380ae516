import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { proveIncrementals } from '../harness/proof.ts';
import type { ProvenStore } from '../harness/proven-store.ts';
import { PROVEN_EMMETT, PROVEN_MESSAGE_DB } from './proven.ts';

describe('incremental backups lose nothing while writers commit late and backups are killed; naive ones do', {
  concurrency: true,
}, () => {
  let server: TestPostgres;
  let folder: string;
  before(async () => {
    server = await startPostgres({ settings: { max_prepared_transactions: '40', max_connections: '120' } });
    folder = await mkdtemp(join(tmpdir(), 'eventcore-proof-'));
  });
  after(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const prove = async (proven: ProvenStore, name: string) => {
    const result = await proveIncrementals(server, join(folder, name), {
      ...{ proven, events: 600, writers: 6, maxDelayMs: 150, maxEventsPerInsert: 8 },
      ...{ leastIncrementals: 4, pauseMs: 50, killEvery: 3, killWithinMs: 600, maxLinks: 25 },
    });
    assert.ok(result.events >= 600 && result.incrementals >= 3 && result.killed >= 1, JSON.stringify(result));
    for (const [predicate, lost] of Object.entries(result.naiveLost)) {
      assert.ok(lost > 0, `${predicate} lost nothing: the run was too tame to prove anything`);
    }
    return result;
  };

  it('of Emmett, by its library and by its function in long transactions', async (context) => {
    context.diagnostic(JSON.stringify(await prove(PROVEN_EMMETT, 'emmett')));
  });

  it('of message-db, by its own function', async (context) => {
    context.diagnostic(JSON.stringify(await prove(PROVEN_MESSAGE_DB, 'message-db')));
  });
});
