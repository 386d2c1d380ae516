import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { isBackupError } from '../../src/core/errors.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { startCuttingProxy } from '../stores/postgres/cutting-proxy.ts';
import { appendRaw, openEmmett } from './emmett.ts';
import { loadTenant } from './restore-process.ts';

/** Statements of the transaction in which a restore puts events into Emmett's tables, in their order. */
const STEPS = [
  'LOCK TABLE',
  'TRUNCATE',
  'CREATE TEMP TABLE restored ON',
  'INSERT INTO pg_temp.restored_rows',
  'emt_add_partition',
  'INSERT INTO "public"."emt_streams"',
  'INSERT INTO "public"."emt_messages"',
  'ALTER SEQUENCE',
  'UPDATE emt_streams',
  'UPDATE emt_processors',
  'DROP SCHEMA',
];

/** Where an answer that is lost might leave something behind: from the first row that is written. */
const ANSWERED = STEPS.slice(STEPS.indexOf('INSERT INTO "public"."emt_messages"'));

/** All of Emmett's tables, their partitions, and where its sequence stands. */
const STATE = `SELECT jsonb_build_object(
  'messages', (SELECT jsonb_agg(m ORDER BY global_position) FROM emt_messages m),
  'streams', (SELECT jsonb_agg(s ORDER BY stream_id) FROM emt_streams s),
  'processors', (SELECT jsonb_agg(p) FROM emt_processors p),
  'sequence', (SELECT jsonb_build_object('last', last_value, 'isCalled', is_called) FROM emt_global_message_position),
  'tables', (SELECT jsonb_agg(relname ORDER BY relname) FROM pg_class WHERE relname LIKE 'emt%')) AS state`;

describe('a restore into tables of Emmett that are in use', () => {
  let server: TestPostgres;
  let address: string;
  let client: pg.Client;
  before(async () => {
    server = await startPostgres();
    address = server.address(await server.createDatabase());
    await (await openEmmett(address)).close();
    client = new pg.Client(address);
    await client.connect();
    for (let i = 0; i < 5; i += 1) await appendRaw(client, `cart-${i}`, [`a ${i}`, `b ${i}`]);
    await client.query(
      `INSERT INTO emt_processors (processor_id, last_processed_checkpoint, last_processed_transaction_id) VALUES ('p', '3', '3')`,
    );
  });
  after(async () => {
    await client?.end();
    await server?.stop();
  });

  const state = async () => (await client.query(STATE)).rows[0].state;

  const notWhole = async (work: () => Promise<void>): Promise<void> => {
    const held = await state();
    await work();
    assert.deepEqual(await state(), held);
  };

  it('leaves them as they were wherever its connection is cut, and puts all into them in the end', async (context) => {
    for (const when of ['before', 'after'] as const) {
      const proxy = await startCuttingProxy(server.port, when);
      context.after(() => proxy.close());
      const through = address.replace(/:\d+\//, `:${proxy.port}/`);
      for (const step of when === 'before' ? [...STEPS, 'COMMIT'] : ANSWERED) {
        const target = openPostgresStore(through);
        await notWhole(async () => {
          const session = await loadTenant(target, 'cut', 40);
          proxy.cutAt(step);
          const failed = (error: unknown) => isBackupError(error, 'store_unreachable');
          await assert.rejects(session.publish(), failed, step);
          await session.discard();
        });
        await target.close();
      }
      assert.equal(proxy.cuts(), when === 'before' ? STEPS.length + 1 : ANSWERED.length);
    }
    const target = openPostgresStore(address);
    await (await loadTenant(target, 'whole', 40)).publish();
    assert.deepEqual(await target.count(), { events: 40, streams: 1 });
    await target.close();
    const { messages, sequence, streams } = await state();
    assert.equal(messages.length, 40);
    assert.equal(streams[0].partition, 'tenant');
    assert.deepEqual(sequence, { last: 41, isCalled: false });
  });

  it('leaves them as they were when it is killed with signal 9, and the next one clears away what it left', async (context) => {
    // The last statement of all waits here, when everything is written.
    await client.query(`CREATE FUNCTION public.stop_here() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NEW; END $$;
      CREATE TRIGGER stop_here BEFORE UPDATE ON emt_processors FOR EACH ROW EXECUTE FUNCTION public.stop_here()`);
    const holder = new pg.Client(address);
    await holder.connect();
    context.after(() => holder.end());
    await holder.query('SELECT pg_advisory_lock(77)');
    for (const stage of ['loading', 'loaded', 'publishing']) {
      await notWhole(async () => {
        const killed = startProcess(address, stage);
        await once(killed.stdout!, 'data');
        if (stage === 'publishing') await untilStopped(server);
        killed.kill('SIGKILL');
        await once(killed, 'exit');
        if (stage === 'publishing') await holder.query('SELECT pg_advisory_unlock(77)');
        const target = openPostgresStore(address);
        const session = await whenFree(() => target.openRestore({ attemptId: 'next', replace: true }));
        assert.equal(session.discarded.length, 1);
        await session.discard();
        await target.close();
      });
    }
    const { rows } = await client.query("SELECT FROM pg_namespace WHERE nspname LIKE 'eventcore_restore_%'");
    assert.equal(rows.length, 0);
  });
});

function startProcess(address: string, stage: string): ChildProcess {
  const script = path.join(import.meta.dirname, 'restore-process.ts');
  return spawn(process.execPath, [script, address, stage], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function untilStopped(server: TestPostgres): Promise<void> {
  const sql = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted`;
  while ((await server.exec(sql)).length === 0) await sleep(20);
}

/** The server ends a killed restore's session by itself, within seconds. */
async function whenFree<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isBackupError(error, 'lease_held') || attempt === 100) throw error;
      await sleep(100);
    }
  }
}
