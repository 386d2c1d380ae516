import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import pg from 'pg';
import type { TestPostgres } from '../harness/postgres.ts';
import { allRows, dumpAndRestore, findDumper, goRound, type Servers } from './round-trip.ts';

/** Stores of Marten 9: its tables in the ways that they can be configured, and what its appends do. */

interface Marten {
  readonly identity: 'uuid' | 'varchar';
  readonly conjoined?: true;
  readonly archivedPartition?: true;
  readonly tenantPartitions?: readonly string[];
}

function tablesSql({ identity, conjoined, archivedPartition, tenantPartitions }: Marten): string {
  const archived = archivedPartition ? ', is_archived' : '';
  const tenant = conjoined ? 'tenant_id, ' : '';
  const by = archivedPartition
    ? 'PARTITION BY LIST (is_archived)'
    : tenantPartitions
      ? 'PARTITION BY LIST (tenant_id)'
      : '';
  const parts = (table: string): string[] => [
    ...(archivedPartition
      ? [
          `CREATE TABLE ${table}_archived PARTITION OF ${table} FOR VALUES IN (true)`,
          `CREATE TABLE ${table}_default PARTITION OF ${table} DEFAULT`,
        ]
      : []),
    ...(tenantPartitions ?? []).map(
      (name) => `CREATE TABLE ${table}_${name} PARTITION OF ${table} FOR VALUES IN ('${name}')`,
    ),
  ];
  return [
    'CREATE SEQUENCE mt_events_sequence',
    `CREATE TABLE mt_streams (id ${identity} NOT NULL, type varchar, version bigint, timestamp timestamptz NOT NULL DEFAULT now(),
       created timestamptz NOT NULL DEFAULT now(), tenant_id varchar DEFAULT '*DEFAULT*' NOT NULL, is_archived bool DEFAULT false NOT NULL,
       PRIMARY KEY (${tenant}id${archived})) ${by}`,
    ...parts('mt_streams'),
    `CREATE TABLE mt_events (seq_id bigint NOT NULL, id uuid NOT NULL, stream_id ${identity}, version bigint NOT NULL, data jsonb NOT NULL,
       bdata bytea, type varchar(500) NOT NULL, timestamp timestamptz DEFAULT '2026-01-01' NOT NULL, tenant_id varchar DEFAULT '*DEFAULT*',
       mt_dotnet_type varchar, correlation_id varchar, headers jsonb, is_archived bool DEFAULT false,
       PRIMARY KEY (${tenantPartitions ? 'tenant_id, ' : ''}seq_id${archived}),
       FOREIGN KEY (${tenant}stream_id${archived}) REFERENCES mt_streams (${tenant}id${archived})) ${by}`,
    ...parts('mt_events'),
    `CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON mt_events (${tenant}stream_id, version${archived})`,
    `CREATE TABLE mt_event_progression (name varchar PRIMARY KEY, last_seq_id bigint, last_updated timestamptz DEFAULT transaction_timestamp())`,
    ...(tenantPartitions
      ? [
          'CREATE TABLE mt_tenant_partitions (partition_value varchar PRIMARY KEY, partition_suffix varchar)',
          ...tenantPartitions.flatMap((name) => [
            `INSERT INTO mt_tenant_partitions VALUES ('${name}', '${name}')`,
            `CREATE SEQUENCE mt_events_sequence_${name}`,
          ]),
        ]
      : []),
    ...(archivedPartition || tenantPartitions
      ? []
      : [
          'CREATE TABLE mt_event_tag_customer (value text NOT NULL, seq_id bigint NOT NULL REFERENCES mt_events (seq_id), PRIMARY KEY (value, seq_id))',
        ]),
  ].join('; ');
}

export async function installMarten(server: TestPostgres, database: string, marten: Marten): Promise<void> {
  await server.exec(tablesSql(marten), database);
}

interface Appended {
  readonly stream: string;
  readonly tenant?: string;
  readonly events: number;
  /** Rolled back: its numbers are lost. */
  readonly failing?: true;
}

async function openMarten(address: string, { tenantPartitions, archivedPartition }: Marten) {
  const client = new pg.Client(address);
  await client.connect();
  const one = async (sql: string, values: unknown[]): Promise<Record<string, unknown> | undefined> =>
    (await client.query<Record<string, unknown>>(sql, values)).rows[0];
  const insert = async ({ stream, tenant = '*DEFAULT*', events }: Appended): Promise<number> => {
    const own = 'id::text = $1 AND tenant_id = $2';
    const found = await one(`SELECT version, is_archived FROM mt_streams WHERE ${own} ORDER BY is_archived`, [
      stream,
      tenant,
    ]);
    assert.ok(found?.is_archived !== true, 'no append to an archived stream');
    if (found === undefined)
      await client.query("INSERT INTO mt_streams (id, type, version, tenant_id) VALUES ($1, 'cart', 0, $2)", [
        stream,
        tenant,
      ]);
    let version = Number(found?.version ?? 0);
    for (let i = 0; i < events; i += 1) {
      version += 1;
      const sequence = tenantPartitions ? `mt_events_sequence_${tenant}` : 'mt_events_sequence';
      const isBinary = version % 3 === 0;
      await client.query(
        `INSERT INTO mt_events (seq_id, id, stream_id, version, data, bdata, type, tenant_id, timestamp, mt_dotnet_type, is_archived, headers)
         VALUES (nextval('${sequence}'), $1, $2, $3, $4, $5, 'item_added', $6, clock_timestamp(), 'Shop.ItemAdded, Shop', false, $7)`,
        [
          ...[randomUUID(), stream, version, isBinary ? '{}' : '{"Name": "Grüße 🙂", "Price": 1.50}'],
          ...[isBinary ? Buffer.from([0, 1, 255]) : null, tenant, version === 2 ? '{"h": [null]}' : null],
        ],
      );
    }
    await client.query(
      `UPDATE mt_streams SET version = $3, timestamp = now() WHERE ${own} AND NOT is_archived`,
      [stream, tenant, version],
    );
    return version;
  };
  return {
    client,
    append: async (what: Appended): Promise<number> => {
      await client.query('BEGIN');
      const version = await insert(what);
      await client.query(what.failing ? 'ROLLBACK' : 'COMMIT');
      return version;
    },
    archive: async (stream: string): Promise<void> => {
      // Into another partition: added there, then taken away, as the events' key is to their stream.
      const moves = ['mt_streams', 'mt_events'].map((table) => {
        const id = table === 'mt_streams' ? 'id' : 'stream_id';
        return `CREATE TEMP TABLE moved_${table} ON COMMIT DROP AS SELECT * FROM ${table} WHERE ${id}::text = '${stream}';
          UPDATE moved_${table} SET is_archived = true; INSERT INTO ${table} SELECT * FROM moved_${table}`;
      });
      const simple = `UPDATE mt_streams SET is_archived = true WHERE id::text = '${stream}'; UPDATE mt_events SET is_archived = true WHERE stream_id::text = '${stream}'`;
      const parted = `${moves.join('; ')}; DELETE FROM mt_events WHERE stream_id::text = '${stream}' AND NOT is_archived;
        DELETE FROM mt_streams WHERE id::text = '${stream}' AND NOT is_archived`;
      await client.query(`BEGIN; ${archivedPartition ? parted : simple}; COMMIT`);
    },
    mark: (name: string, upTo: number): Promise<unknown> =>
      client.query(
        `INSERT INTO mt_event_progression VALUES ($1, $2, transaction_timestamp())
         ON CONFLICT (name) DO UPDATE SET last_seq_id = excluded.last_seq_id, last_updated = transaction_timestamp()`,
        [name, upTo],
      ),
    progress: async (): Promise<Record<string, number>> => {
      const { rows } = await client.query<{ name: string; at: string }>(
        'SELECT name, last_seq_id AS at FROM mt_event_progression ORDER BY name',
      );
      return Object.fromEntries(rows.map(({ name, at }) => [name, Number(at)]));
    },
    /** Numbers of the last events of a stream. */
    numbers: async (stream: string, from: number): Promise<number[]> => {
      const { rows } = await client.query<{ seq: string }>(
        'SELECT seq_id AS seq FROM mt_events WHERE stream_id::text = $1 AND version >= $2 ORDER BY version',
        [stream, from],
      );
      return rows.map(({ seq }) => Number(seq));
    },
    close: () => client.end(),
  };
}

const TABLES = ['mt_streams', 'mt_events', 'mt_event_progression'];

export function martenTests(servers: () => Servers): void {
  describe('a store of Marten', () => {
    const [a, b, c] = ['0a', '0b', '0c'].map((start) => `${start}${randomUUID().slice(2)}`) as [
      string,
      string,
      string,
    ];
    const ways: Record<string, { marten: Marten; streams: readonly [string, string, string] }> = {
      'with guids': { marten: { identity: 'uuid' }, streams: [a, b, c] },
      'with names': { marten: { identity: 'varchar' }, streams: ['cart-1', 'cart/2 %', 'Körbe'] },
      'with a partition for what is archived': {
        marten: { identity: 'varchar', archivedPartition: true },
        streams: ['cart-1', 'cart/2 %', 'Körbe'],
      },
    };
    for (const [title, { marten, streams }] of Object.entries(ways)) {
      it(`${title} goes on in another cluster: streams, archived ones, sequence, progress`, async () => {
        const { from, to } = servers();
        const install = async (server: TestPostgres, database: string): Promise<void> => {
          await server.exec(tablesSql(marten), database);
        };
        const hasTags = marten.archivedPartition === undefined;
        const tables = [...TABLES, ...(hasTags ? ['mt_event_tag_customer'] : [])];
        const [source, target] = await goRound({
          ...{ from, to, install },
          writes: [
            async (database) => {
              const store = await openMarten(from.address(database), marten);
              for (const stream of streams) await store.append({ stream, events: 3 });
              await store.append({ stream: streams[0], events: 2, failing: true });
              await store.append({ stream: streams[0], events: 1 });
              await store.mark('Trip:All', 7);
              await store.mark('HighWaterMark', 9);
              if (hasTags)
                await store.client.query("INSERT INTO mt_event_tag_customer VALUES ('ann', 2), ('bob', 12)");
              await store.close();
            },
            async (database) => {
              const store = await openMarten(from.address(database), marten);
              await store.archive(streams[1]);
              await store.append({ stream: streams[2], events: 2 });
              await store.mark('HighWaterMark', 14);
              await store.mark('HighWaterStuckGap', 10);
              await store.close();
            },
          ],
        });
        const rows = await allRows(from, source, tables);
        assert.equal(rows.mt_events!.length, 12);
        assert.deepEqual(await allRows(to, target, tables), rows);
        const restored = await openMarten(to.address(target), marten);
        assert.equal(await restored.append({ stream: streams[0], events: 2 }), 6);
        assert.deepEqual(await restored.numbers(streams[0], 5), [15, 16]);
        await assert.rejects(restored.append({ stream: streams[1], events: 1 }), /archived/);
        await restored.close();
      });
    }

    it('keeps an archived stream apart from the one that was begun anew under its id', async () => {
      const { from, to } = servers();
      const marten: Marten = { identity: 'varchar', archivedPartition: true };
      const begin = async (database: string, stream: string): Promise<void> => {
        const store = await openMarten(from.address(database), marten);
        await store.append({ stream, events: 2 });
        await store.archive(stream);
        // What StartStream() does.
        await store.client.query('INSERT INTO mt_streams (id, version) VALUES ($1, 0)', [stream]);
        await store.append({ stream, events: 3 });
        await store.close();
      };
      const [source, target] = await goRound({
        ...{ from, to },
        install: async (server, database) => {
          await server.exec(tablesSql(marten), database);
        },
        writes: [(database) => begin(database, 'cart'), (database) => begin(database, 'order')],
      });
      const rows = await allRows(from, source, TABLES);
      assert.equal(rows.mt_events!.length, 10);
      assert.deepEqual(await allRows(to, target, TABLES), rows);
    });

    it('is told no progress beyond its log, whose last numbers are given again', async () => {
      const { from, to } = servers();
      const marten: Marten = { identity: 'uuid' };
      const [source, target] = await goRound({
        ...{ from, to },
        install: async (server, database) => {
          await server.exec(tablesSql(marten), database);
        },
        writes: [
          async (database) => {
            const store = await openMarten(from.address(database), marten);
            await store.append({ stream: a, events: 4 });
            await store.close();
          },
          async (database) => {
            const store = await openMarten(from.address(database), marten);
            await store.append({ stream: a, events: 3, failing: true });
            for (const [name, at] of Object.entries({ HighWaterMark: 7, 'Trip:All': 7, 'Slow:All': 2 }))
              await store.mark(name, at);
            await store.mark('HighWaterAllocationFence', 7);
            await store.mark('HighWaterStuckGap', 3);
            await store.close();
          },
        ],
      });
      const restored = await openMarten(to.address(target), marten);
      assert.deepEqual(await restored.progress(), {
        HighWaterMark: 4,
        HighWaterStuckGap: 3,
        'Slow:All': 2,
        'Trip:All': 4,
      });
      await restored.append({ stream: a, events: 1 });
      assert.deepEqual(await restored.numbers(a, 4), [4, 5]);
      await restored.close();
      const tables = ['mt_streams', 'mt_events'];
      assert.equal(
        (await allRows(to, target, tables)).mt_events!.length,
        (await allRows(from, source, tables)).mt_events!.length + 1,
      );
    });

    it('of tenants with partitions goes on with the numbers of each, which are doubled among them', async () => {
      const { from, to } = servers();
      const marten: Marten = { identity: 'varchar', conjoined: true, tenantPartitions: ['acme', 'globex'] };
      const [source, target] = await goRound({
        ...{ from, to },
        install: async (server, database) => {
          await server.exec(tablesSql(marten), database);
        },
        writes: [
          async (database) => {
            const store = await openMarten(from.address(database), marten);
            await store.append({ stream: 'cart', tenant: 'acme', events: 3 });
            await store.append({ stream: 'cart', tenant: 'globex', events: 5 });
            await store.append({ stream: 'cart', tenant: 'acme', events: 1, failing: true });
            await store.mark('HighWaterMark:acme', 4);
            await store.mark('HighWaterMark:globex', 5);
            await store.close();
          },
          async (database) => {
            const store = await openMarten(from.address(database), marten);
            await store.append({ stream: 'globex/cart', tenant: 'globex', events: 1 });
            await store.close();
          },
        ],
      });
      const tables = ['mt_streams', 'mt_events'];
      assert.deepEqual(await allRows(to, target, tables), await allRows(from, source, tables));
      const restored = await openMarten(to.address(target), marten);
      assert.deepEqual(await restored.progress(), { 'HighWaterMark:acme': 3, 'HighWaterMark:globex': 5 });
      await restored.append({ stream: 'cart', tenant: 'acme', events: 1 });
      await restored.append({ stream: 'order', tenant: 'globex', events: 1 });
      assert.deepEqual(
        [await restored.numbers('cart', 4), await restored.numbers('order', 1)],
        [[4, 4, 5], [7]],
      );
      await restored.close();
    });

    it('is whole after pg_dump and pg_restore of all; of its two tables alone the sequence begins anew', async (t) => {
      const { from, to } = servers();
      const dumper = findDumper(from);
      if (dumper === null) return t.skip('no pg_dump on this machine');
      const marten: Marten = { identity: 'uuid' };
      const source = await from.createDatabase();
      await from.exec(tablesSql(marten), source);
      const store = await openMarten(from.address(source), marten);
      await store.append({ stream: a, events: 3 });
      await store.close();
      const whole = await dumpAndRestore(dumper, { from, to, source });
      assert.deepEqual(await allRows(to, whole, TABLES), await allRows(from, source, TABLES));
      const options = ['-t', 'mt_streams', '-t', 'mt_events'];
      const alone = await dumpAndRestore(dumper, { from, to, source, options });
      assert.deepEqual(await to.exec("SELECT to_regclass('mt_events_sequence') AS sequence", alone), [
        { sequence: null },
      ]);
    });
  });
}
