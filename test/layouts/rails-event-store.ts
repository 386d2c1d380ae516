import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import pg from 'pg';
import type { TestPostgres } from '../harness/postgres.ts';
import { allRows, dumpAndRestore, findDumper, goRound, type Servers } from './round-trip.ts';

/** A store of Rails Event Store: the tables of its migration, and the statements that its repository sends. */

type DataType = 'jsonb' | 'json' | 'bytea';

const EVENTS = 'event_store_events';
const LINKS = 'event_store_events_in_streams';

export async function installRailsEventStore(
  server: TestPostgres,
  database: string,
  type: DataType,
): Promise<void> {
  await server.exec(
    `CREATE TABLE ${EVENTS} (id bigserial PRIMARY KEY, event_id uuid NOT NULL, event_type character varying NOT NULL, metadata ${type},
       data ${type} NOT NULL, created_at timestamp(6) without time zone NOT NULL, valid_at timestamp(6) without time zone);
     CREATE UNIQUE INDEX ON ${EVENTS} (event_id);
     CREATE TABLE ${LINKS} (id bigserial PRIMARY KEY, stream character varying NOT NULL, position integer,
       event_id uuid NOT NULL REFERENCES ${EVENTS} (event_id), created_at timestamp(6) without time zone NOT NULL);
     CREATE UNIQUE INDEX ON ${LINKS} (stream, position);
     CREATE UNIQUE INDEX ON ${LINKS} (stream, event_id)`,
    database,
  );
}

const insertEvent = `INSERT INTO ${EVENTS} (event_id, data, metadata, event_type, created_at, valid_at)
           VALUES ($1, $2, $3, 'OrderPlaced', clock_timestamp() AT TIME ZONE 'UTC', $4) RETURNING id`;

async function openRails(address: string) {
  const client = new pg.Client(address);
  await client.connect();
  const link = async (id: string, stream: string, position: number | null): Promise<void> => {
    await client.query(
      `INSERT INTO ${LINKS} (stream, position, event_id, created_at) VALUES ($1, $2, $3, clock_timestamp() AT TIME ZONE 'UTC')`,
      [stream, position, id],
    );
  };
  return {
    client,
    link,
    /** `position` null: of any version; without a stream, to that of all events only. Gives its global position. */
    append: async (
      data: string | Buffer,
      streams: readonly [string, number | null][],
      id: string = randomUUID(),
    ) => {
      await client.query('BEGIN');
      try {
        const { rows } = await client.query<{ id: string }>(insertEvent, [
          id,
          data,
          streams.length === 0 ? null : data,
          streams.length > 1 ? '2020-02-03 04:05:06.789012' : null,
        ]);
        for (const [stream, position] of streams) await link(id, stream, position);
        await client.query('COMMIT');
        return Number(rows[0]!.id);
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    },
    close: () => client.end(),
  };
}

const SAMPLES: Readonly<Record<DataType, readonly (string | Buffer)[]>> = {
  jsonb: ['{"total": 12.50, "text": "Grüße 🙂"}', '[]', 'null', '"text"'],
  // Spaces, order, doubled keys, and what jsonb does not take.
  json: ['{"b" : 1,\n "a":1.0, "a": 2}', '"\\u0000"', '{"n": 1e999999}', '"\\ud800"', 'null'],
  bytea: [Buffer.from('---\n:total: 12\n'), Buffer.from([0, 255, 128]), Buffer.alloc(0)],
};

export function railsEventStoreTests(servers: () => Servers): void {
  describe('a store of Rails Event Store', () => {
    for (const type of ['jsonb', 'json', 'bytea'] as const) {
      it(`with data as ${type} goes on in another cluster: events, links, positions and none`, async () => {
        const { from, to } = servers();
        const linked = randomUUID();
        let late: pg.Client | undefined;
        const samples = SAMPLES[type];
        const [source, target] = await goRound({
          ...{ from, to },
          install: (server, database) => installRailsEventStore(server, database, type),
          writes: [
            async (database) => {
              const rails = await openRails(from.address(database));
              for (const [i, data] of samples.entries()) await rails.append(data, [['Order$1', i]]);
              await rails.append(samples[0]!, [
                ['Order$2', null],
                ['By type', null],
              ]);
              // Is given its number now, and committed after the full backup.
              late = new pg.Client(from.address(database));
              await late.connect();
              await late.query('BEGIN');
              await late.query(insertEvent, [randomUUID(), samples[0]!, null, null]);
              await rails.append(samples[0]!, [], linked);
              // Its number is never used.
              await assert.rejects(rails.append(samples[0]!, [['Order$1', 0]]), { code: '23505' });
              await rails.close();
            },
            async (database) => {
              const rails = await openRails(from.address(database));
              await rails.append(samples[0]!, [['Order$3', 0]]);
              await rails.link(linked, 'Order$3', 1);
              await rails.client.query(`DELETE FROM ${LINKS} WHERE stream = 'By type'`);
              await late!.query('COMMIT');
              await Promise.all([late!.end(), rails.close()]);
            },
          ],
        });
        const rows = await allRows(from, source, [EVENTS, LINKS]);
        assert.equal(rows[EVENTS]!.length, samples.length + 4);
        assert.equal(rows[LINKS]!.length, samples.length + 3);
        assert.deepEqual(await allRows(to, target, [EVENTS, LINKS]), rows);
        const restored = await openRails(to.address(target));
        assert.equal(await restored.append(samples[0]!, [['Order$1', samples.length]]), samples.length + 6);
        await assert.rejects(restored.append(samples[0]!, [['Order$1', samples.length]]), { code: '23505' });
        await restored.close();
      });
    }

    it('is as whole after pg_dump and pg_restore', async (t) => {
      const { from, to } = servers();
      const dumper = findDumper(from);
      if (dumper === null) return t.skip('no pg_dump on this machine');
      const source = await from.createDatabase();
      await installRailsEventStore(from, source, 'json');
      const rails = await openRails(from.address(source));
      await rails.append(SAMPLES.json[0]!, [['Order$1', null]]);
      await rails.close();
      const target = await dumpAndRestore(dumper, { from, to, source });
      assert.deepEqual(
        await allRows(to, target, [EVENTS, LINKS]),
        await allRows(from, source, [EVENTS, LINKS]),
      );
    });
  });
}
