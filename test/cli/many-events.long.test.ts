/** A store of half a million events on a real PostgreSQL, through the command line, held to its promises by plain SQL. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadGenerated } from '../../bench/dataset.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { measure } from '../harness/measure.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

/** The benchmarks take ten millions; here they are many enough for memory to show, and few enough for each run of the tests. */
const EVENTS = 500_000;
const MAX_MEMORY_MIB = 300;
const ROOT = join(import.meta.dirname, '../..');
/** As it is published: running the sources takes the compiler's memory too. */
const BUILD = join(ROOT, 'dist-many');
const MAIN = join(BUILD, 'cli/main.js');

/** Every column of every row as text, whatever the order of the rows. */
const FINGERPRINT = `
  SELECT count(*) AS events, count(DISTINCT stream_id) AS streams,
         sum(hashtextextended(concat_ws('|', event_id, stream_id, stream_version, event_type, event_data::text,
                                        metadata::text, to_char(created_at, 'YYYY-MM-DD HH24:MI:SS.US')), 0)) AS hash
  FROM eventcore_events`;

/**
 * Commits the generated events again, transaction by transaction: the events of a transaction, in several streams,
 * share their correlation id. The table then looks as a living application leaves it.
 */
const REPLAY = `
  CREATE PROCEDURE replay() LANGUAGE plpgsql AS $$
  DECLARE
    event generated.eventcore_events%ROWTYPE;
    correlation text;
  BEGIN
    FOR event IN SELECT * FROM generated.eventcore_events ORDER BY event_id LOOP
      IF correlation IS DISTINCT FROM event.metadata->>'correlationId' THEN
        COMMIT;
        correlation := event.metadata->>'correlationId';
      END IF;
      INSERT INTO public.eventcore_events SELECT event.*;
    END LOOP;
  END $$`;

describe('a PostgreSQL store of half a million events', () => {
  let folder: string;
  let postgres: TestPostgres;
  let source: string;
  let target: string;
  let vault: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eventcore-many-'));
    await measure({
      program: process.execPath,
      args: [
        join(ROOT, 'node_modules/typescript/bin/tsc'),
        '-p',
        join(ROOT, 'tsconfig.build.json'),
        '--outDir',
        BUILD,
      ],
    });
    vault = join(folder, 'vault');
    postgres = await startPostgres({
      settings: { shared_buffers: '512MB', max_wal_size: '4GB', synchronous_commit: 'off' },
    });
    source = await postgres.createDatabase();
    target = await postgres.createDatabase();
    await loadGenerated(postgres.address(source), EVENTS);
    await postgres.exec('CREATE SCHEMA generated; ALTER TABLE eventcore_events SET SCHEMA generated', source);
    const store = openPostgresStore(postgres.address(source));
    await store.initialise();
    await store.close();
    await postgres.exec(`ALTER TABLE public.eventcore_events DISABLE TRIGGER USER; ${REPLAY}`, source);
    await postgres.exec('CALL replay()', source);
    await postgres.exec(
      'ALTER TABLE public.eventcore_events ENABLE TRIGGER USER; DROP SCHEMA generated CASCADE',
      source,
    );
  });

  after(async () => {
    await postgres.stop();
    await rm(BUILD, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });

  it('has at least 50,000 streams, and transactions over several of them', async () => {
    const [counts] = await postgres.exec(
      `SELECT count(*) AS transactions, max(streams) AS widest, sum(streams) AS total FROM
        (SELECT count(DISTINCT stream_id) AS streams FROM eventcore_events GROUP BY xmin::text) t`,
      source,
    );
    assert.ok(Number(counts?.widest) > 1);
    assert.ok(Number(counts?.transactions) > 50_000);
    const [print] = await postgres.exec(FINGERPRINT, source);
    assert.ok(Number(print?.streams) >= 50_000, `${print?.streams} streams`);
  });

  it(`is backed up and verified in at most ${MAX_MEMORY_MIB} MiB`, async (context) => {
    const args = [MAIN, 'backup', 'full', '--store', postgres.address(source), '--vault', vault, '--quiet'];
    const { wallSeconds, peakMiB } = await measure({ program: process.execPath, args });
    context.diagnostic(`${wallSeconds.toFixed(1)} s, ${peakMiB.toFixed(0)} MiB`);
    assert.ok(peakMiB <= MAX_MEMORY_MIB, `${peakMiB} MiB`);
  });

  it(`is restored in at most ${MAX_MEMORY_MIB} MiB, equal in every column`, async (context) => {
    const args = [MAIN, 'restore', '--to', postgres.address(target), '--vault', vault, '--quiet'];
    const { wallSeconds, peakMiB } = await measure({ program: process.execPath, args });
    context.diagnostic(`${wallSeconds.toFixed(1)} s, ${peakMiB.toFixed(0)} MiB`);
    assert.ok(peakMiB <= MAX_MEMORY_MIB, `${peakMiB} MiB`);
    assert.deepEqual(await postgres.exec(FINGERPRINT, target), await postgres.exec(FINGERPRINT, source));
  });

  it('goes on where it was: versions continue, conflicts are seen, history cannot be changed', async () => {
    const [head] = await postgres.exec(
      'SELECT stream_id, max(stream_version) AS version FROM eventcore_events GROUP BY 1 ORDER BY 2 DESC LIMIT 1',
      target,
    );
    const streamId = String(head?.stream_id);
    const expectedVersion = BigInt(String(head?.version));
    const events = [{ type: 'GoesOn', data: '{}' }];
    const store = openPostgresStore(postgres.address(target));
    try {
      const { heads } = await store.append([{ streamId, expectedVersion, events }]);
      assert.equal(heads.get(streamId), expectedVersion + 1n);
      await assert.rejects(store.append([{ streamId, expectedVersion, events }]), (error) =>
        isBackupError(error, 'version_conflict'),
      );
    } finally {
      await store.close();
    }
    await assert.rejects(
      postgres.exec(`UPDATE eventcore_events SET event_type = 'x'`, target),
      /immutable|cannot/i,
    );
    await assert.rejects(postgres.exec('DELETE FROM eventcore_events', target), /immutable|cannot/i);
  });
});
