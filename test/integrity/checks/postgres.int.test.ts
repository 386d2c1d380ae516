import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { EventStore } from '../../../src/core/event-store.ts';
import { BUILT_IN_CHECKS } from '../../../src/integrity/checks/built-in.ts';
import { INDEX_AGREES } from '../../../src/integrity/checks/index-agrees.ts';
import { SERVER_SAFETY } from '../../../src/integrity/checks/server-safety.ts';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { ask, assertFound, findings } from './asking.ts';

/** The settings of a server for tests are not safe, and say so in a test of their own. */
const CHECKS = BUILT_IN_CHECKS.filter((check) => check !== SERVER_SAFETY);
const E = 'public.eventcore_events';
const UNIQUE = 'eventcore_events_stream_version_idx';
const V7 = (n: number): string => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`;

let server: TestPostgres;
before(async () => {
  server = await startPostgres();
  await server.createDatabase('sound');
  const store = openPostgresStore(server.address('sound'));
  await store.initialise();
  for (const [s, streamId] of ['a', 'b', 'c'].entries()) {
    const events = Array.from({ length: 5 }, (_, n) => ({
      ...{ id: V7(10 * s + n), type: 'Tested', data: `{"n":${n}}`, metadata: '{"who":1}' },
    }));
    await store.append([{ streamId, events }]);
  }
  await store.close();
  await server.exec(
    `INSERT INTO eventcore_subscription_versions VALUES ('mail', '${V7(24)}');
     INSERT INTO eventcore_command_state_snapshots VALUES ('s', '{}', '{"a": 5, "b": 2, "new": 0}'), ('t', '{}', '{}');
     CREATE EXTENSION IF NOT EXISTS amcheck`,
    'sound',
  );
});
after(() => server.stop());

/** A copy of the sound store in a database of its own, with something done to it behind the triggers' back. */
async function withStore(
  sql: string,
  work: (store: EventStore, exec: (sql: string) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const database = `d_${Math.random().toString(36).slice(2)}`;
  await server.exec(`CREATE DATABASE ${database} TEMPLATE sound`);
  const store = openPostgresStore(server.address(database));
  const exec = (statements: string): Promise<unknown> =>
    server.exec(`SET session_replication_role = replica; ${statements}`, database);
  try {
    if (sql !== '') await exec(sql);
    await work(store, exec);
  } finally {
    await store.close();
    await server.exec(`DROP DATABASE ${database} WITH (FORCE)`);
  }
}

interface Damage {
  readonly sentence: string;
  readonly sql: string;
  /** Which checks find how many things. */
  readonly found: Readonly<Record<string, number>>;
  /** What the first finding of the first of them says. */
  readonly first: Readonly<Record<string, unknown>>;
  /** The statements of its findings leave nothing to find; else which checks still find something. */
  readonly leaves?: Readonly<Record<string, number>>;
}

const CLAMPED = `INSERT INTO eventcore_subscription_versions VALUES ('sums', 'ffffffff-0000-7000-8000-000000000000')`;
const trigger = (name: string): string => `eventcore_${name}_trigger`;

const DAMAGES: readonly Damage[] = [
  {
    sentence: 'events taken away from the middle of a stream are a gap',
    sql: `DELETE FROM ${E} WHERE stream_id = 'b' AND stream_version IN (2, 3)`,
    found: { stream_gaps: 1 },
    first: { streamId: 'b', version: '2', events: 2, severity: 'damage', repair: 'reinstate_events' },
  },
  {
    sentence: 'a version that is there twice is found where the unique index is gone, and so is that',
    sql: `DROP INDEX ${UNIQUE}; INSERT INTO ${E} SELECT gen_random_uuid(), stream_id, stream_version, event_type, event_data, metadata,
      created_at FROM ${E} WHERE stream_id = 'c' AND stream_version = 4; DELETE FROM eventcore_subscription_versions`,
    found: { stream_duplicates: 1, indexes: 1 },
    first: { streamId: 'c', version: '4', events: 1, repair: 'remove_copies' },
    leaves: {},
  },
  {
    sentence: 'two events with one id are found without a key over the ids',
    sql: `ALTER TABLE ${E} DROP CONSTRAINT eventcore_events_pkey; UPDATE ${E} SET event_id = '${V7(0)}' WHERE event_id = '${V7(10)}'`,
    found: { unique_ids: 1, unique_ids_whole: 1, indexes: 1, constraints: 0 },
    first: { eventId: V7(0), streamId: 'a', version: '1', events: 2, repair: null },
    leaves: {},
  },
  {
    sentence: 'a clock that was set back shows between two versions',
    sql: `UPDATE ${E} SET created_at = created_at - interval '6 minutes' WHERE stream_id = 'b' AND stream_version = 3;
      UPDATE ${E} SET created_at = created_at - interval '4 minutes' WHERE stream_id = 'c' AND stream_version = 3`,
    found: { clock_jump: 1 },
    first: { streamId: 'b', version: '3', severity: 'risk', repair: null },
  },
  {
    sentence: 'times that are none, before the year 2000 or in the future are told apart',
    sql: `UPDATE ${E} SET created_at = '-infinity' WHERE event_id = '${V7(4)}';
      UPDATE ${E} SET created_at = '1999-12-31T23:59:59Z' WHERE event_id = '${V7(10)}';
      UPDATE ${E} SET created_at = now() + interval '1 hour' WHERE event_id = '${V7(24)}'`,
    found: { event_times: 3 },
    first: { streamId: 'a', version: '5', severity: 'damage', message: 'it has no time' },
  },
  {
    sentence: 'an event without a type, stream or fitting version is found',
    sql: `UPDATE ${E} SET event_type = '' WHERE event_id = '${V7(1)}'; UPDATE ${E} SET stream_version = 0 WHERE event_id = '${V7(14)}';
      UPDATE ${E} SET stream_id = '' WHERE event_id = '${V7(24)}'`,
    found: { event_fields: 3, stream_gaps: 1 },
    first: { streamId: 'a', version: '2', message: 'it has no type', repair: 'put_back_events' },
  },
  {
    sentence: 'a trigger that was switched off, for all or for all but replicas, is switched on again',
    sql: `ALTER TABLE ${E} DISABLE TRIGGER ${trigger('prevent_update')}; ALTER TABLE ${E} ENABLE REPLICA TRIGGER ${trigger('version')}`,
    found: { guards: 2 },
    first: { object: trigger('version'), severity: 'risk', repair: 'restore_guards' },
    leaves: {},
  },
  {
    sentence: 'triggers that are gone, came late, or run a function that was hollowed out, are made again',
    sql: `DROP TRIGGER ${trigger('version')} ON ${E};
      CREATE OR REPLACE FUNCTION eventcore_prevent_delete() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN /* RAISE EXCEPTION */ RETURN OLD; END';
      DROP TRIGGER ${trigger('prevent_update')} ON ${E};
      CREATE TRIGGER ${trigger('prevent_update')} AFTER UPDATE ON ${E} FOR EACH STATEMENT EXECUTE FUNCTION eventcore_prevent_update()`,
    found: { guards: 3 },
    first: { object: trigger('version'), message: `trigger ${trigger('version')} is missing` },
    leaves: {},
  },
  {
    sentence: 'a database in which every session is a replica is a risk',
    sql: `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$`,
    found: { guards: 1 },
    first: { object: 'session_replication_role', repair: null },
  },
  {
    sentence: 'a column that may be empty, and a constraint that was never proven, are found',
    sql: `ALTER TABLE ${E} ALTER COLUMN event_data DROP NOT NULL; ALTER TABLE ${E} ADD CONSTRAINT short CHECK (length(event_type) < 100) NOT VALID`,
    found: { constraints: 2 },
    first: { object: 'event_data', severity: 'risk', repair: 'restore_guards' },
    leaves: {},
  },
  {
    sentence: 'a key that is gone, an index that is not in use and one that is missing are built anew',
    sql: `ALTER TABLE ${E} DROP CONSTRAINT eventcore_events_pkey; DROP INDEX eventcore_events_stream_idx;
      UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${UNIQUE}'::regclass`,
    found: { indexes: 3, constraints: 0 },
    first: { object: 'eventcore_events_pkey', severity: 'risk', repair: 'rebuild_index' },
    leaves: {},
  },
  {
    sentence: 'an index on other columns under the name of the unique one is for a person to judge',
    sql: `DROP INDEX ${UNIQUE}; CREATE UNIQUE INDEX ${UNIQUE} ON ${E} (stream_id, stream_version) WHERE stream_version > 3`,
    found: { indexes: 1 },
    first: { object: UNIQUE, repair: null },
  },
  {
    sentence: 'an index that lost entries is found by its sample, by its structure, and built anew',
    sql: `UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = '${UNIQUE}'::regclass;
      INSERT INTO ${E} SELECT gen_random_uuid(), stream_id, 6, event_type, event_data, metadata, now() FROM ${E} WHERE stream_version = 5;
      UPDATE pg_index SET indisready = true, indisvalid = true WHERE indexrelid = '${UNIQUE}'::regclass;
      DELETE FROM eventcore_subscription_versions`,
    found: { index_agrees: 1, index_structure: 1 },
    first: { object: UNIQUE, events: 3, severity: 'damage', repair: 'rebuild_index' },
    leaves: {},
  },
  {
    sentence: 'sequences behind their columns are set to the greatest number',
    sql: `ALTER TABLE ${E} ADD COLUMN place bigint GENERATED BY DEFAULT AS IDENTITY; SELECT setval('eventcore_events_place_seq', 15, false);
      CREATE SEQUENCE "by Hand" INCREMENT -2 START -1; ALTER TABLE eventcore_subscription_versions ADD COLUMN n int DEFAULT nextval('"by Hand"');
      SELECT setval('"by Hand"', -1, false); CREATE SEQUENCE well; ALTER TABLE ${E} ADD COLUMN m int DEFAULT nextval('well')`,
    found: { sequences: 2 },
    first: { object: 'public."by Hand"', severity: 'risk', repair: 'advance_sequence' },
    leaves: {},
  },
  {
    sentence: 'a checkpoint beyond the last event is set back to it',
    sql: CLAMPED,
    found: { checkpoints: 1 },
    first: { object: 'sums', severity: 'damage', repair: 'clamp_checkpoint' },
    leaves: {},
  },
  {
    sentence: 'a checkpoint of a store without events has nothing to go back to, and its snapshots are ahead',
    sql: `DELETE FROM ${E}`,
    found: { checkpoints: 1, snapshots: 1 },
    first: { object: 'mail', repair: null },
    leaves: { checkpoints: 1 },
  },
  {
    sentence: 'snapshots that know more than the store, or of streams that are not there, are dropped',
    sql: `INSERT INTO eventcore_command_state_snapshots VALUES ('u', '{}', '{"a": 6, "b": 5}'), ('v', '{}', '{"x": 1, "y": 2}')`,
    found: { snapshots: 2 },
    first: { object: 'u', streamId: 'a', severity: 'damage', repair: 'drop_snapshot' },
    leaves: {},
  },
];

describe('the checks of a PostgreSQL store', () => {
  it('find nothing in a store that is sound', async () => {
    await withStore('', async (store) => {
      assertFound(await findings(store, { checks: CHECKS }), {});
      const results = await ask(store);
      const skipped = [...results.values()]
        .filter(({ state }) => state === 'skipped')
        .map(({ name }) => name);
      assert.deepEqual(skipped.sort(), ['payloads', 'required_metadata']);
      assert.deepEqual(
        results
          .get('server_safety')
          ?.findings.map(({ object }) => object)
          .includes('fsync'),
        true,
      );
    });
  });

  for (const { sentence, sql, found: expected, first, leaves } of DAMAGES) {
    it(sentence, async () => {
      await withStore(sql, async (store, exec) => {
        const found = await findings(store, { checks: CHECKS });
        assertFound(found, Object.fromEntries(Object.entries(expected).filter(([, count]) => count > 0)));
        const finding = found[Object.keys(expected)[0]!]![0]!;
        assert.deepEqual({ ...finding, ...first }, finding);
        if (leaves === undefined) return;
        if (expected.stream_duplicates !== undefined)
          await exec(`DELETE FROM ${E} WHERE event_id::text NOT LIKE '0190%'`);
        if (expected.unique_ids !== undefined)
          await exec(`UPDATE ${E} SET event_id = '${V7(10)}' WHERE stream_id = 'b' AND stream_version = 1`);
        const statements = Object.values(found).flatMap((list) => list.flatMap((one) => one.statements));
        assert.ok(statements.length > 0);
        for (const { sql: repair, parameters = [], before: kept } of statements) {
          if (kept !== null) await exec(inlined(kept.sql, kept.parameters ?? []));
          await exec(inlined(repair, parameters));
        }
        assertFound(await findings(store, { checks: CHECKS }), leaves);
      });
    });
  }

  it('find an index that tells of events that are not in the table', async () => {
    const exchanged = `CREATE TABLE other AS SELECT * FROM ${E} ORDER BY ctid;
      INSERT INTO other SELECT gen_random_uuid(), stream_id, 6, event_type, event_data, metadata, now() FROM ${E} WHERE stream_version = 5;
      CREATE UNIQUE INDEX other_idx ON other (stream_id, stream_version);
      UPDATE pg_class c SET relfilenode = o.relfilenode FROM pg_class o
       WHERE (c.relname, o.relname) IN (('${UNIQUE}', 'other_idx'), ('other_idx', '${UNIQUE}'))`;
    await withStore(exchanged, async (store, exec) => {
      // An index alone answers for pages of which it is known that all is visible.
      await server.exec(`VACUUM ${E}`, databaseOf(store));
      const found = await findings(store, { checks: CHECKS });
      assertFound(found, { index_agrees: 1 });
      const [told] = found.index_agrees!;
      assert.deepEqual([told!.object, told!.events, told!.severity], [UNIQUE, 3, 'damage']);
      assert.match(told!.message, /tells of 3 events that are not in the table/);
      await exec(told!.statements[0]!.sql);
      assertFound(await findings(store, { checks: CHECKS }), {});
    });
  });

  it('read all of the table, a part for each bucket, for rows that an index lost', async () => {
    const lost = `UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = '${UNIQUE}'::regclass;
      INSERT INTO ${E} SELECT gen_random_uuid(), 'many-' || n, 1, 'T', jsonb_build_object('x', repeat('y', 500)), '{}', now()
        FROM generate_series(1, 300) AS n;
      UPDATE pg_index SET indisready = true, indisvalid = true WHERE indexrelid = '${UNIQUE}'::regclass;
      DELETE FROM eventcore_subscription_versions`;
    await withStore(lost, async (store) => {
      let events = 0;
      for (let bucket = 0; bucket < 7; bucket += 1) {
        const found = await findings(store, {
          checks: [INDEX_AGREES],
          sample: { seed: 3, of: 7, buckets: [bucket] },
        });
        events += found.index_agrees?.[0]?.events ?? 0;
      }
      assert.equal(events, 300);
    });
  });

  it('look at the streams of the sample alone, and leave out gaps and copies that the newest backup has', async () => {
    const sql = `DELETE FROM ${E} WHERE stream_version = 3 OR (stream_id = 'b' AND stream_version = 4); DROP INDEX ${UNIQUE};
      INSERT INTO ${E} SELECT gen_random_uuid(), stream_id, stream_version, event_type, event_data, metadata, created_at FROM ${E}
       WHERE stream_version = 2; DELETE FROM eventcore_subscription_versions`;
    await withStore(sql, async (store) => {
      const seen: string[] = [];
      const known = (stream: string) =>
        stream === 'c' ? null : { firstVersion: 1, gaps: [[3, 3]] as const, duplicates: 1 };
      for (let bucket = 0; bucket < 4; bucket += 1) {
        const found = await findings(store, {
          checks: CHECKS,
          known,
          sample: { seed: 5, of: 4, buckets: [bucket] },
        });
        for (const { streamId, version, place } of [
          ...(found.stream_gaps ?? []),
          ...(found.stream_duplicates ?? []),
        ]) {
          seen.push(`${streamId} ${version}`);
          assert.deepEqual(place, { kind: 'bucket', number: bucket });
        }
      }
      assert.deepEqual(seen.sort(), ['b 4', 'c 2', 'c 3']);
    });
  });

  it('ask for the metadata that the policy wants', async () => {
    await withStore(
      `UPDATE ${E} SET metadata = '{"who": 2, "it''s": null}' WHERE stream_id = 'b'`,
      async (store) => {
        const lacking = await findings(store, { checks: CHECKS, requiredMetadata: ['who', "it's"] });
        assertFound(lacking, { required_metadata: 10 });
        assertFound(await findings(store, { checks: CHECKS, requiredMetadata: ['who'] }), {});
      },
    );
  });

  it('see nothing wrong while writers, consumers and removals of streams go on', async () => {
    await withStore('CREATE TABLE stop ()', async (store, exec) => {
      const stop = new AbortController();
      const writers = [0, 1, 2].map((writer) => write(store, exec, writer, stop.signal));
      try {
        for (let round = 0; round < 5; round += 1) {
          const sample = round % 2 === 0 ? null : { seed: round, of: 2, buckets: [0] };
          assertFound(await findings(store, { checks: CHECKS, sample }), {});
        }
      } finally {
        stop.abort();
        await Promise.all(writers);
      }
      assert.ok((await store.count()).events > 50);
    });
  });
});

/** Appends to streams that all writers share, moves a checkpoint to what is there, and removes a stream as a whole. */
async function write(
  store: EventStore,
  exec: (sql: string) => Promise<unknown>,
  writer: number,
  signal: AbortSignal,
): Promise<void> {
  for (let round = 0; !signal.aborted; round += 1) {
    const events = [
      { type: 'Tested', data: '{}' },
      { type: 'Tested', data: '{}' },
    ];
    const streams = [`shared-${round % 3}`, `own-${writer}-${round}`].sort();
    await store.append(streams.map((streamId) => ({ streamId, events })));
    await exec(`INSERT INTO eventcore_subscription_versions (subscription_name, last_position)
      SELECT 'writer-${writer}', event_id FROM ${E} ORDER BY event_id DESC LIMIT 1
      ON CONFLICT (subscription_name) DO UPDATE SET last_position = excluded.last_position`);
    if (round > 1 && writer === 1) await exec(`DELETE FROM ${E} WHERE stream_id = 'own-1-${round - 2}'`);
  }
}

function databaseOf(store: EventStore): string {
  return new URL(store.address).pathname.slice(1);
}

/** Parameters put into a statement, as the helper that carries it out takes none. */
function inlined(sql: string, parameters: readonly unknown[]): string {
  return sql.replaceAll(/\$(\d)/g, (_, place: string) =>
    pg.escapeLiteral(String(parameters[Number(place) - 1])),
  );
}
