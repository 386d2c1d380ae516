import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import pg from 'pg';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import type { TestPostgres } from '../harness/postgres.ts';
import { allRows, dumpAndRestore, findDumper, goRound, type Servers } from './round-trip.ts';

/** Stores of the Python library eventsourcing 9: its tables, and the statements that its recorders send. */

export async function installPyeventsourcing(
  server: TestPostgres,
  database: string,
  application: string,
): Promise<void> {
  const stored = application === '' ? 'stored' : application;
  const tracked = application === '' ? 'notification' : application;
  const columns = 'originator_id uuid NOT NULL, originator_version bigint NOT NULL, topic text, state bytea';
  await server.exec(
    `CREATE TABLE ${stored}_events (${columns}, notification_id bigserial, PRIMARY KEY (originator_id, originator_version))
       WITH (autovacuum_enabled=false);
     CREATE UNIQUE INDEX ${stored}_events_notification_id_idx ON ${stored}_events (notification_id ASC);
     CREATE TABLE ${stored}_snapshots (${columns}, PRIMARY KEY (originator_id, originator_version)) WITH (autovacuum_enabled=false);
     CREATE TABLE ${tracked}_tracking (application_name text, notification_id bigint, PRIMARY KEY (application_name, notification_id))`,
    database,
  );
}

interface Recorded {
  readonly id: string;
  readonly version: number;
  readonly topic: string | null;
  readonly state: Buffer | null;
}

/** With what it followed of another application, in one transaction. Gives the last event's notification id. */
async function record(
  address: string,
  table: string,
  events: readonly Recorded[],
  tracking?: { readonly table: string; readonly upTo: number },
): Promise<number> {
  const client = new pg.Client(address);
  await client.connect();
  try {
    await client.query('BEGIN');
    if (tracking !== undefined)
      await client.query(`INSERT INTO ${tracking.table} VALUES ($1, $2)`, ['upstream', tracking.upTo]);
    await client.query("SET LOCAL lock_timeout = '5s'");
    await client.query(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
    let last = 0;
    for (const { id, version, topic, state } of events) {
      const { rows } = await client.query<{ id: string }>(
        `INSERT INTO ${table} VALUES ($1, $2, $3, $4) RETURNING notification_id AS id`,
        [id, version, topic, state],
      );
      last = Number(rows[0]!.id);
    }
    await client.query('COMMIT');
    return last;
  } finally {
    await client.end();
  }
}

async function statistics(server: TestPostgres, database: string, table: string): Promise<number> {
  const sql = `SELECT count(*)::int AS columns FROM pg_stats WHERE tablename = '${table}'`;
  return Number((await server.exec(sql, database))[0]!.columns);
}

export function pyeventsourcingTests(servers: () => Servers): void {
  describe('a store of pyeventsourcing', () => {
    const dogs = [randomUUID(), randomUUID()];
    const event = (i: number): Recorded => ({
      id: dogs[i % 2]!,
      version: 1 + Math.floor(i / 2),
      topic: i === 4 ? null : 'kennel.domain:Dog.TrickAdded',
      // Compressed and encrypted, nothing, and less than that.
      state: i === 3 ? null : i === 5 ? Buffer.alloc(0) : randomBytes(90 + i),
    });

    for (const application of ['', 'kennel']) {
      const table = application === '' ? 'stored_events' : 'kennel_events';
      const tracking = application === '' ? 'notification_tracking' : 'kennel_tracking';
      const tables = [table, table.replace('events', 'snapshots'), tracking];
      it(`of ${table} goes on in another cluster`, async () => {
        const { from, to } = servers();
        const [source, target] = await goRound({
          ...{ from, to },
          install: (server, database) => installPyeventsourcing(server, database, application),
          writes: [
            async (database) => {
              const address = from.address(database);
              await record(address, table, [0, 1, 2, 3].map(event), { table: tracking, upTo: 7 });
              await from.exec(
                `INSERT INTO ${tables[1]} SELECT originator_id, originator_version, topic, state FROM ${table} WHERE originator_version = 2`,
                database,
              );
              // A version that is there: its numbers are lost.
              await assert.rejects(record(address, table, [event(6), event(0)]));
            },
            async (database) => {
              await record(from.address(database), table, [4, 5].map(event), { table: tracking, upTo: 8 });
            },
          ],
        });
        const rows = await allRows(from, source, tables);
        assert.deepEqual(
          tables.map((name) => rows[name]!.length),
          [6, 2, 2],
        );
        assert.deepEqual(await allRows(to, target, tables), rows);
        assert.ok((await statistics(to, target, table)) > 0, 'which autovacuum would never gather here');
        const next = await record(to.address(target), table, [event(6)], { table: tracking, upTo: 9 });
        assert.equal(next, 9, 'behind the last of the six, whose numbers had a hole of two');
        await assert.rejects(record(to.address(target), table, [event(6)]), { code: '23505' });
        await assert.rejects(record(to.address(target), table, [event(8)], { table: tracking, upTo: 8 }), {
          code: '23505',
        });
      });
    }

    it('is named where an address leads to several', async () => {
      const { from } = servers();
      const database = await from.createDatabase();
      for (const application of ['dogs', 'cats']) await installPyeventsourcing(from, database, application);
      await record(from.address(database), 'dogs_events', [event(0)]);
      const store = openPostgresStore(from.address(database));
      await assert.rejects(store.inspect(), {
        code: 'store_unsupported',
        message: /cats_events, public.dogs_events/,
      });
      await store.close();
      for (const [table, state] of [
        ['dogs_events', 'filled'],
        ['cats_events', 'empty'],
      ] as const) {
        const named = openPostgresStore(`${from.address(database)}?layout=pyeventsourcing&table=${table}`);
        assert.equal((await named.inspect()).state, state);
        await named.close();
      }
    });

    it('has no statistics after pg_dump and pg_restore; its rows are as they were', async (t) => {
      const { from, to } = servers();
      const dumper = findDumper(from);
      if (dumper === null) return t.skip('no pg_dump on this machine');
      const source = await from.createDatabase();
      await installPyeventsourcing(from, source, '');
      await record(from.address(source), 'stored_events', [0, 1, 2].map(event));
      const target = await dumpAndRestore(dumper, { from, to, source });
      const tables = ['stored_events', 'notification_tracking'];
      assert.deepEqual(await allRows(to, target, tables), await allRows(from, source, tables));
      assert.equal(await statistics(to, target, 'stored_events'), 0);
    });
  });
}
