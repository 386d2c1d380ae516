import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { StoreInspection } from '../../../src/core/inspection.ts';
import { pause } from '../../../src/core/pause.ts';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { startPostgres, startStandby, type TestPostgres } from '../../harness/postgres.ts';

let server: TestPostgres;
let store: EventStore;
let inspection: StoreInspection;
before(async () => {
  server = await startPostgres();
  store = openPostgresStore(server.address('postgres'));
  await store.initialise();
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
  await server.exec(`CREATE SEQUENCE drawn; CREATE TABLE log (n int);
    CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log VALUES (1); RETURN 1; END';
    CREATE FUNCTION opens() RETURNS int LANGUAGE plpgsql
      AS 'BEGIN SET LOCAL transaction_read_only = off; INSERT INTO public.log VALUES (2); RETURN 1; END'`);
  inspection = (await store.openInspection({ statementTimeoutMs: 20_000 }))!;
});
after(async () => {
  await inspection.close();
  await store.close();
  await server.stop();
});

async function asked(sql: string, from = inspection): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of from.select(sql)) rows.push(row);
  return rows;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'answered',
    (error) => (isBackupError(error) ? error.code : String(error)),
  );
}

describe('an inspection of a PostgreSQL store', () => {
  it('lets no function write, draw from a sequence, or end its transaction', async () => {
    for (const sql of [
      `SELECT setval('public.drawn', 7)`,
      `SELECT nextval('public.drawn')`,
      'SELECT public.writes()',
      'SELECT public.opens()',
      `SELECT set_config('transaction_read_only', 'off', true), public.writes()`,
      'SELECT * FROM public.log FOR UPDATE',
      'SELECT 1 INTO public.made',
    ]) {
      assert.equal(await codeOf(asked(sql)), 'check_refused', sql);
    }
    // PostgreSQL 15 lets this one through; the transaction never commits.
    await codeOf(asked('SELECT lo_create(0)'));
    assert.deepEqual(await server.exec('SELECT FROM pg_largeobject_metadata'), []);
    const [left] = await server.exec(
      'SELECT (SELECT count(*)::int FROM log) AS rows, last_value::int, is_called FROM drawn',
    );
    assert.deepEqual(left, { rows: 0, last_value: 1, is_called: false });
  });

  it('takes no statement behind another one, however it is hidden', async () => {
    for (const sql of [
      'SELECT 1; COMMIT; DELETE FROM public.log',
      'SELECT 1; ROLLBACK; BEGIN; INSERT INTO public.log VALUES (3)',
      'SELECT 1 AS "a;" /* ; */; INSERT INTO public.log VALUES (4) --\'',
      'COMMIT',
      'END; BEGIN READ WRITE',
    ]) {
      assert.equal(await codeOf(asked(sql)), 'check_refused', sql);
    }
    assert.deepEqual(await asked('SELECT 1 AS "a;" /* ; */ ;'), [{ 'a;': '1' }]);
    assert.deepEqual(await server.exec('SELECT * FROM log'), []);
  });

  it('leaves nothing of what a statement sets, and keeps its time whatever that says', async () => {
    const short = (await store.openInspection({ statementTimeoutMs: 700 }))!;
    try {
      const endless = `SELECT set_config('statement_timeout', '0', false), set_config('search_path', 'public', false)
        FROM generate_series(1, 300) AS n WHERE pg_sleep(0.01) IS NOT NULL`;
      assert.equal(await codeOf(asked(endless, short)), 'check_timed_out');
      assert.deepEqual(
        await asked(
          `SELECT current_setting('search_path') AS path, current_setting('transaction_read_only') AS only`,
          short,
        ),
        [{ path: 'pg_catalog', only: 'on' }],
      );
    } finally {
      await short.close();
    }
  });

  it('takes settings of the planner for one statement, and no others', async () => {
    const sql = `SELECT current_setting('enable_seqscan') AS scan, current_setting('search_path') AS path`;
    const rows: unknown[] = [];
    const settings = { enable_seqscan: 'off', search_path: '"public", pg_temp' };
    for await (const row of inspection.select(sql, { settings })) rows.push(row);
    assert.deepEqual(rows, [{ scan: 'off', path: '"public", pg_temp' }]);
    assert.deepEqual(await asked(sql), [{ scan: 'on', path: 'pg_catalog' }]);
    for (const name of ['transaction_read_only', 'session_replication_role', 'statement_timeout', "x'; --"]) {
      const select = inspection.select('SELECT 1', { settings: { [name]: 'off' } });
      assert.equal(await codeOf(select[Symbol.asyncIterator]().next()), 'check_refused', name);
    }
  });

  it('tells who holds the table, and a server that ends its connection', async () => {
    const waiting = (await store.openInspection({ statementTimeoutMs: 700 }))!;
    const held = server.exec('BEGIN; LOCK TABLE log; SELECT pg_sleep(1.3); COMMIT');
    await pause(300);
    assert.equal(await codeOf(asked('SELECT * FROM public.log', waiting)), 'check_timed_out');
    await waiting.close();
    await held;
    const cut = codeOf(asked('SELECT pg_terminate_backend(pg_backend_pid())'));
    assert.equal(await cut, 'store_unreachable');
    assert.deepEqual(await asked('SELECT 1 AS n'), [{ n: '1' }]);
  });

  it('leaves nothing running on the server when a signal ends it', async () => {
    const aborter = new AbortController();
    const select = inspection.select('SELECT pg_sleep(15) AS marked', { signal: aborter.signal });
    const ended = codeOf(select[Symbol.asyncIterator]().next());
    await pause(300);
    aborter.abort();
    assert.equal(await ended, 'interrupted');
    const running = `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%AS marked%' AND state = 'active' AND pid <> pg_backend_pid()`;
    for (let tries = 0; tries < 50 && (await server.exec(running)).length > 0; tries += 1) await pause(100);
    assert.deepEqual(await server.exec(running), []);
  });

  it('asks a hot standby too', async () => {
    const standby = await startStandby(server);
    const there = openPostgresStore(standby.address('postgres'));
    try {
      const asks = (await there.openInspection({ statementTimeoutMs: 20_000 }))!;
      const { names } = asks;
      const rows = await asked(
        `SELECT ${names.stream} AS s FROM ${names.events} WHERE ${names.inBucket({ seed: 1, of: 1, buckets: [0] })}`,
        asks,
      );
      assert.deepEqual(rows, [{ s: 'a' }]);
      await asks.close();
    } finally {
      await there.close();
      await standby.stop();
    }
  });
});
