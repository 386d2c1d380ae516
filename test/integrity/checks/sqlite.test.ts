import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { EventStore } from '../../../src/core/event-store.ts';
import { pause } from '../../../src/core/pause.ts';
import { INDEX_AGREES } from '../../../src/integrity/checks/index-agrees.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { ask, assertFound, findings } from './asking.ts';

let folder: string;
let file: string;
let store: EventStore;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'eventcore-checks-'));
  file = path.join(folder, 'events.db');
  store = openSqliteStore(`sqlite:${file}`);
  await store.initialise();
  for (const streamId of ['a', 'b', 'c']) {
    const events = Array.from({ length: 5 }, (_, n) => ({ type: 'Tested', data: `{"n":${n}}` }));
    await store.append([{ streamId, events }]);
  }
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

function damage(sql: string): void {
  const db = new DatabaseSync(file, { defensive: false });
  db.exec(sql);
  db.close();
}

/** SQL that makes the events table anew without any of its keys, with the rows that it had. */
const WITHOUT_KEYS = `CREATE TABLE kept AS SELECT * FROM eventcore_events; DROP TABLE eventcore_events;
  CREATE TABLE eventcore_events (event_id TEXT, stream_id TEXT NOT NULL, stream_version INTEGER NOT NULL, event_type TEXT NOT NULL,
    event_data TEXT NOT NULL, metadata TEXT NOT NULL DEFAULT '{}', created_at TEXT NOT NULL);
  INSERT INTO eventcore_events SELECT * FROM kept; DROP TABLE kept;`;
const UNIQUE_INDEX = `CREATE UNIQUE INDEX idx_eventcore_events_stream_version ON eventcore_events (stream_id, stream_version);`;
const STREAM_INDEX = 'CREATE INDEX idx_eventcore_events_stream_id ON eventcore_events (stream_id);';

const UNIQUE_INDEX_NAME = 'idx_eventcore_events_stream_version';

/** Does something to the table while the unique index is out of sight, as a lost write of its pages would leave it. */
function unseenByIndex(sql: string): string {
  return `CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = '${UNIQUE_INDEX_NAME}';
    PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = '${UNIQUE_INDEX_NAME}'; PRAGMA writable_schema = RESET;
    ${sql}; PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept; PRAGMA writable_schema = RESET`;
}

interface Damage {
  readonly sentence: string;
  readonly sql: string;
  /** Which checks find how many things. */
  readonly found: Readonly<Record<string, number>>;
  /** What the first finding of the first of them says. */
  readonly first: Readonly<Record<string, unknown>>;
}

const DAMAGES: readonly Damage[] = [
  {
    sentence: 'an event taken away from the middle of a stream is a gap',
    sql: `DELETE FROM eventcore_events WHERE stream_id = 'b' AND stream_version IN (2, 3)`,
    found: { stream_gaps: 1 },
    first: { streamId: 'b', version: '2', events: 2, severity: 'damage', repair: 'reinstate_events' },
  },
  {
    sentence: 'a stream that lost its first event begins too late',
    sql: `DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 1`,
    found: { stream_gaps: 1 },
    first: { streamId: 'a', version: '1', events: 1 },
  },
  {
    sentence: 'a version that is there twice is found where the unique index is gone, and so is that',
    sql: `DROP INDEX idx_eventcore_events_stream_version; INSERT INTO eventcore_events SELECT 'copy-' || event_id, stream_id,
        stream_version, event_type, event_data, metadata, created_at FROM eventcore_events WHERE stream_id = 'c' AND stream_version = 4`,
    found: { stream_duplicates: 1, indexes: 1 },
    first: { streamId: 'c', version: '4', events: 1, repair: 'remove_copies' },
  },
  {
    sentence: 'two events with one id are found without a key over the ids',
    sql: `${WITHOUT_KEYS} ${UNIQUE_INDEX} ${STREAM_INDEX} UPDATE eventcore_events
        SET event_id = (SELECT event_id FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 1)
        WHERE stream_id = 'b' AND stream_version = 1`,
    found: { unique_ids: 1, unique_ids_whole: 1, indexes: 1 },
    first: { streamId: 'a', version: '1', events: 2, repair: null },
  },
  {
    sentence: 'a clock that was set back shows between two versions',
    sql: `UPDATE eventcore_events SET created_at = '2024-02-29T12:00:00Z' WHERE stream_id = 'b' AND stream_version = 3`,
    found: { clock_jump: 1 },
    first: { streamId: 'b', version: '3', severity: 'risk', repair: null },
  },
  {
    sentence: 'times that are none, before the year 2000 or in the future are told apart',
    sql: `UPDATE eventcore_events SET created_at = 'yesterday' WHERE stream_id = 'a' AND stream_version = 5;
      UPDATE eventcore_events SET created_at = '1999-12-31T23:59:59Z' WHERE stream_id = 'b' AND stream_version = 1;
      UPDATE eventcore_events SET created_at = '2999-01-01T00:00:00.123456Z' WHERE stream_id = 'c' AND stream_version = 5`,
    found: { event_times: 3 },
    first: { streamId: 'a', version: '5', severity: 'damage', message: 'it has no time' },
  },
  {
    sentence: 'data that is no JSON is found, and an event without a type, stream or fitting version',
    sql: `UPDATE eventcore_events SET event_data = '{"n":' WHERE stream_id = 'a' AND stream_version = 2;
      UPDATE eventcore_events SET metadata = 'x' WHERE stream_id = 'a' AND stream_version = 3;
      UPDATE eventcore_events SET event_type = '' WHERE stream_id = 'b' AND stream_version = 2;
      UPDATE eventcore_events SET stream_version = 0 WHERE stream_id = 'c' AND stream_version = 5;
      UPDATE eventcore_events SET stream_id = '' WHERE stream_id = 'b' AND stream_version = 5`,
    found: { payloads: 2, event_fields: 3, stream_gaps: 1 },
    first: {
      streamId: 'a',
      version: '2',
      message: 'data cannot be parsed as JSON',
      repair: 'put_back_events',
    },
  },
  {
    sentence: 'an index that is missing is made again',
    sql: 'DROP INDEX idx_eventcore_events_stream_id',
    found: { indexes: 1 },
    first: { object: 'idx_eventcore_events_stream_id', severity: 'risk', repair: 'rebuild_index' },
  },
  {
    sentence: 'an index that lets copies in under the name of the unique one is another one',
    sql: `DROP INDEX idx_eventcore_events_stream_version;
      CREATE INDEX idx_eventcore_events_stream_version ON eventcore_events (stream_id, stream_version)`,
    found: { indexes: 1 },
    first: { object: 'idx_eventcore_events_stream_version', repair: null },
  },
  {
    sentence: 'a column that may be empty now is found with what is empty in it',
    sql: `${WITHOUT_KEYS.replace('event_type TEXT NOT NULL', 'event_type TEXT')} ${UNIQUE_INDEX} ${STREAM_INDEX}
      CREATE UNIQUE INDEX by_id ON eventcore_events (event_id);
      UPDATE eventcore_events SET event_type = NULL WHERE stream_id = 'b' AND stream_version = 2`,
    found: { constraints: 1, event_fields: 1 },
    first: { object: 'event_type', severity: 'risk', repair: null },
  },
  {
    sentence: 'a checkpoint beyond the last event is set back to it',
    sql: `INSERT INTO eventcore_subscription_versions (subscription_name, last_position)
        VALUES ('mail', 'ffffffff-0000-7000-8000-000000000000'),
               ('sums', (SELECT upper(max(event_id)) FROM eventcore_events))`,
    found: { checkpoints: 1 },
    first: { object: 'mail', severity: 'damage', repair: 'clamp_checkpoint' },
  },
  {
    sentence: 'a counter behind its rows is set to the greatest of them',
    sql: `DROP TABLE eventcore_command_state_snapshots; CREATE TABLE eventcore_command_state_snapshots
        (number INTEGER PRIMARY KEY AUTOINCREMENT, snapshot_id TEXT, snapshot_data TEXT NOT NULL, updated_at TEXT);
      INSERT INTO eventcore_command_state_snapshots (number, snapshot_id, snapshot_data) VALUES (7, 's', '{}');
      UPDATE sqlite_sequence SET seq = 3`,
    found: { sequences: 1 },
    first: { object: 'eventcore_command_state_snapshots', severity: 'risk', repair: 'advance_sequence' },
  },
];

describe('the checks of a SQLite store', () => {
  it('find nothing in a store that is sound', async () => {
    assertFound(await findings(store), {});
    const results = await ask(store);
    const skipped = [...results.values()].filter(({ state }) => state === 'skipped').map(({ name }) => name);
    assert.deepEqual(skipped.sort(), [
      ...['checksum_failures', 'guards', 'required_metadata', 'server_safety', 'snapshots'],
    ]);
  });

  for (const { sentence, sql, found: expected, first } of DAMAGES) {
    it(sentence, async () => {
      damage(sql);
      const found = await findings(store);
      assertFound(found, expected);
      const finding = found[Object.keys(expected)[0]!]![0]!;
      assert.deepEqual({ ...finding, ...first }, finding);
      // The statements do what they say, and then there is nothing more to find by that check.
      if (finding.statements.length === 0) return;
      const db = new DatabaseSync(file);
      for (const { sql: repair, parameters = [], before } of finding.statements) {
        if (before !== null) {
          const kept = db.prepare(before.sql).all(...((before.parameters ?? []) as string[]));
          assert.equal(kept.length, 1);
        }
        db.prepare(repair).run(...(parameters as string[]));
      }
      db.close();
      if (expected.stream_duplicates === undefined) assertFound(await findings(store), {});
    });
  }

  it('find an event of no stream whatever the sample is', async () => {
    damage(`${WITHOUT_KEYS.replace('stream_id TEXT NOT NULL', 'stream_id TEXT')} ${UNIQUE_INDEX} ${STREAM_INDEX}
      CREATE UNIQUE INDEX by_id ON eventcore_events (event_id);
      UPDATE eventcore_events SET stream_id = NULL WHERE stream_id = 'c' AND stream_version = 5`);
    for (const sample of [null, { seed: 1, of: 4, buckets: [] }, { seed: 1, of: 1, buckets: [0] }]) {
      const { event_fields: fields, ...others } = await findings(store, { sample });
      assertFound(others, { constraints: 1 });
      assert.deepEqual(
        fields!.map(({ streamId, version, message }) => [streamId, version, message]),
        [[null, '5', 'it is of no stream']],
      );
    }
  });

  it('see nothing wrong while events are written, streams removed and checkpoints moved', async () => {
    let isOver = false;
    const writing = (async (): Promise<number> => {
      for (let round = 0; ; round += 1) {
        if (isOver) return round;
        const events = [
          { type: 'Tested', data: '{}' },
          { type: 'Tested', data: '{}' },
        ];
        await store.append([`shared-${round % 3}`, `own-${round}`].map((streamId) => ({ streamId, events })));
        damage(`INSERT OR REPLACE INTO eventcore_subscription_versions (subscription_name, last_position)
            SELECT 'mail', max(event_id) FROM eventcore_events;
          DELETE FROM eventcore_events WHERE stream_id = 'own-${round - 2}'`);
        await pause(1);
      }
    })();
    for (let round = 0; round < 4; round += 1) {
      const sample = round % 2 === 0 ? null : { seed: round, of: 2, buckets: [1] };
      assertFound(await findings(store, { sample }), {});
    }
    isOver = true;
    assert.ok((await writing) > 20);
  });

  it('ask for the metadata that the policy wants', async () => {
    await store.append([
      { streamId: 'd', events: [{ type: 'T', data: '{}', metadata: '{"who":"x","why":null}' }] },
    ]);
    const found = await findings(store, { requiredMetadata: ['who', 'why', "it's"] });
    assertFound(found, { required_metadata: 16 });
    assertFound(await findings(store, { requiredMetadata: ['who', 'why'] }), { required_metadata: 15 });
  });

  it('look at the streams of the sample alone, and say in which bucket', async () => {
    damage('DELETE FROM eventcore_events WHERE stream_version = 3');
    const seen: string[] = [];
    for (let bucket = 0; bucket < 4; bucket += 1) {
      const found = await findings(store, { sample: { seed: 5, of: 4, buckets: [bucket] } });
      for (const { streamId, place } of found.stream_gaps ?? []) {
        seen.push(streamId!);
        assert.deepEqual(place, { kind: 'bucket', number: bucket });
      }
    }
    assert.deepEqual(seen.sort(), ['a', 'b', 'c']);
  });

  it('leave out gaps and copies that the newest backup has, and tell what is missing beyond them', async () => {
    damage(`DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version IN (1, 3);
      DELETE FROM eventcore_events WHERE stream_id = 'b' AND stream_version IN (2, 3, 4)`);
    const heads = {
      a: { firstVersion: 2, gaps: [[3, 3]] as const },
      b: { firstVersion: 1, gaps: [[3, 3]] as const },
    };
    const known = (stream: string) => heads[stream as 'a' | 'b'] ?? null;
    const found = await findings(store, { known });
    assertFound(found, { stream_gaps: 1 });
    const [gap] = found.stream_gaps!;
    assert.deepEqual([gap!.streamId, gap!.version, gap!.events], ['b', '2', 2]);
    assert.match(gap!.message, /versions 2, 4 missing/);
  });

  it('find an index that lost an entry by its sample, and by the structure of the file', async () => {
    damage(
      unseenByIndex(`INSERT INTO eventcore_events SELECT 'lost-' || stream_id, stream_id, 6, event_type, event_data, metadata,
        created_at FROM eventcore_events WHERE stream_version = 5`),
    );
    const parts = [0, 1, 2, 3].map((bucket) => ({ seed: 1, of: 4, buckets: [bucket] }));
    let events = 0;
    for (const sample of parts) {
      const inPart = await findings(store, { checks: [INDEX_AGREES], sample });
      events += inPart.index_agrees?.[0]?.events ?? 0;
    }
    assert.equal(events, 3);
    const all = Array.from({ length: 1000 }, (_, number) => number);
    const inBuckets = async (buckets: readonly number[]): Promise<number> => {
      const sample = { seed: 1, of: 1000, buckets };
      return (await findings(store, { checks: [INDEX_AGREES], sample })).index_agrees?.[0]?.events ?? 0;
    };
    assert.equal(await inBuckets(all), 3);
    // As many parts as can lie apart from each other: SQLite takes no condition that is deeper than a thousand.
    const [even, odd] = [0, 1].map((rest) => all.filter((number) => number % 2 === rest));
    assert.equal((await inBuckets(even!)) + (await inBuckets(odd!)), 3);
    const found = await findings(store);
    assertFound(found, { index_agrees: 1, index_structure: 4 });
    const [lost] = found.index_agrees!;
    assert.deepEqual([lost!.object, lost!.events, lost!.repair], [UNIQUE_INDEX_NAME, 3, 'rebuild_index']);
    assert.ok(found.index_structure!.every(({ object }) => object === UNIQUE_INDEX_NAME));
    damage(lost!.statements[0]!.sql);
    assertFound(await findings(store), {});
  });

  it('find an index that tells of events that are not in the table', async () => {
    damage(unseenByIndex(`DELETE FROM eventcore_events WHERE stream_version = 5`));
    const found = await findings(store);
    // What reads the table by the index meets a row that is not there.
    assertFound(found, { clock_jump: 1, index_agrees: 1, index_structure: 1 });
    const [phantom] = found.index_agrees!;
    assert.deepEqual(
      [phantom!.object, phantom!.events, phantom!.repair],
      [UNIQUE_INDEX_NAME, 3, 'rebuild_index'],
    );
    assert.match(phantom!.message, /tells of 3 events that are not in the table/);
    damage(found.index_structure![0]!.statements[0]!.sql);
    assertFound(await findings(store), {});
  });

  it('tell a damaged page from a failure of their own', async () => {
    const pageSize = 4096;
    damage(`INSERT INTO eventcore_events SELECT 'many-' || value, 'many', value, 'T', '{"x":"' || hex(zeroblob(200)) || '"}', '{}',
      '2026-01-01T00:00:00Z' FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 400) SELECT value FROM n);
      PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE`);
    const bytes = readFileSync(file);
    for (let page = 20; page < 24; page += 1) bytes.fill(0xff, page * pageSize, (page + 1) * pageSize);
    writeFileSync(file, bytes);
    const results = await ask(store);
    const found = [...results.values()].filter(({ state }) => state === 'found');
    assert.ok(found.length > 0);
    assert.equal(results.get('index_structure')?.state, 'found');
    assert.ok(
      found.every(({ findings: list }) =>
        list.every(({ severity }) => severity === 'damage' || severity === 'risk'),
      ),
    );
    for (const { state, reason } of results.values()) assert.notEqual(state, 'failed', String(reason));
  });
});
