/** The change log of a real server, whose archiver, server and vault are killed in turn. `npm run soak:archive` does it at length. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { proveArchive } from '../harness/archive-runs.ts';
import { makeFolder } from '../harness/command.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

describe('a change log under kills', () => {
  let server: TestPostgres;
  let folder: Awaited<ReturnType<typeof makeFolder>>;

  before(async () => {
    server = await startPostgres({ settings: { max_prepared_transactions: '40' } });
    folder = await makeFolder();
  });
  after(async () => {
    await server.stop();
    await folder.remove();
  });

  it('has each event once, in order, and nothing was acknowledged that it had not', async () => {
    const proof = await proveArchive(server, folder.path, {
      ...{ kills: 9, writers: 6, maxDelayMs: 60, pauseMs: 1500 },
    });
    assert.deepEqual(proof.kills, { archiver: 3, server: 3, vault: 3 });
    assert.ok(proof.events > 500, `${proof.events} events`);
  });
});
