import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openStore } from '../../src/cli/wire.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { type Chain, newestRestorePoint } from '../../src/format/chain.ts';
import { type StoreSample, sampleStore } from '../../src/integrity/sample/store.ts';
import { beginSweep } from '../../src/policy/sweep.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { asOwner, seedEvents } from '../stores/postgres/seeding.ts';

const EVENTS = 6000;
const PAGE_BYTES = 8192;

let server: TestPostgres;
let vault: Vault;
let chain: Chain;
const opened: EventStore[] = [];

async function openIn(database: string): Promise<EventStore> {
  const store = await openStore(server.address(database));
  opened.push(store);
  return store;
}

before(async () => {
  // Checksums would find a bit before anybody else does, and are on by themselves from PostgreSQL 18 on.
  server = await startPostgres({ withoutChecksums: true });
  await server.createDatabase('whole');
  const store = await openIn('whole');
  await store.initialise();
  await seedEvents(server, 'whole', EVENTS);
  const large = JSON.stringify(Array.from({ length: 4000 }, (_, i) => `${i}${i * 7}`).join(''));
  await store.append([{ streamId: 'large', events: [{ type: 'Large', data: large }] }]);
  await server.exec('VACUUM ANALYZE eventcore_events', 'whole');
  vault = memoryVault();
  await backUp(store, vault);
  ({ chain } = newestRestorePoint(await readCatalog(vault), 'memory:'));
  await store.close();
});
after(async () => {
  for (const store of opened) await store.close();
  await server.stop();
});

/** A copy of the store that nobody has read yet: what is written to its files is what the server reads. */
async function copyOf(name: string): Promise<string> {
  const [setting] = await server.exec('SHOW server_version_num');
  // Before PostgreSQL 15 there is no other way.
  const strategy = Number(setting!.server_version_num) >= 150_000 ? 'STRATEGY file_copy' : '';
  await server.exec(`CREATE DATABASE ${name} TEMPLATE whole ${strategy}`);
  return name;
}

async function changeFile(
  database: string,
  relation: string,
  change: (bytes: Buffer) => void,
): Promise<void> {
  const [row] = await server.exec(`SELECT pg_relation_filepath('${relation}') AS path`, database);
  const file = await open(path.join(server.dataDir, String(row!.path)), 'r+');
  try {
    const bytes = await file.readFile();
    change(bytes);
    await file.write(bytes, 0, bytes.length, 0);
  } finally {
    await file.close();
  }
}

async function sample(database: string): Promise<StoreSample> {
  const store = await openIn(database);
  const options = { percentage: 100, nowMs: Date.now(), futureToleranceMs: 60_000, requiredMetadata: [] };
  return sampleStore({ store, vault, chain }, { ...options, sweep: beginSweep(9) });
}

test('a sound copy has no findings, also with what was appended since', async () => {
  const database = await copyOf('sound');
  const store = await openIn(database);
  await store.append([{ streamId: 'stream-1', events: [{ type: 'T', data: '{"b": 1, "a": 2}' }] }]);
  const { findings, eventsChecked, compared, skipped, streams } = await sample(database);
  assert.deepEqual([findings, skipped], [[], {}]);
  assert.deepEqual([eventsChecked, compared, streams], [EVENTS + 2, EVENTS + 1, 98]);
});

test('what was done to rows behind the triggers is found, each in its way', async () => {
  const database = await copyOf('rows');
  const at = (stream: number, version: number): string =>
    `WHERE stream_id = 'stream-${stream}' AND stream_version = ${version}`;
  for (const sql of [
    `UPDATE eventcore_events SET event_data = event_data || '{"n": -1}' ${at(3, 7)}`,
    `UPDATE eventcore_events SET event_id = gen_random_uuid() ${at(4, 8)}`,
    `UPDATE eventcore_events SET created_at = created_at + interval '1 microsecond' ${at(5, 9)}`,
    `DELETE FROM eventcore_events ${at(6, 10)}`,
    `DELETE FROM eventcore_events WHERE stream_id = 'stream-7' AND stream_version > 60`,
    `DELETE FROM eventcore_events WHERE stream_id = 'stream-8'`,
  ])
    await asOwner(server, database, sql);
  const { findings } = await sample(database);
  assert.deepEqual(findings.map(({ check, streamId, version }) => `${check} ${streamId} ${version}`).sort(), [
    'event_changed stream-3 7',
    'event_changed stream-5 9',
    'event_replaced stream-4 8',
    'stream_gap stream-6 10',
    'stream_missing stream-8 1',
    'stream_shortened stream-7 61',
  ]);
});

test('copies of events are found, and also without an index that would have kept them out', async () => {
  const database = await copyOf('copies');
  const columns = 'stream_id, stream_version, event_type, event_data, metadata, created_at';
  for (const sql of [
    'DROP INDEX eventcore_events_stream_version_idx, eventcore_events_stream_idx',
    'ALTER TABLE eventcore_events DROP CONSTRAINT eventcore_events_pkey',
    `INSERT INTO eventcore_events SELECT * FROM eventcore_events WHERE stream_id = 'stream-9' AND stream_version = 5`,
    `INSERT INTO eventcore_events (event_id, ${columns}) SELECT gen_random_uuid(), ${columns} FROM eventcore_events
      WHERE stream_id = 'stream-10' AND stream_version = 6`,
  ])
    await asOwner(server, database, sql);
  const { findings, compared } = await sample(database);
  assert.equal(compared, EVENTS + 3);
  assert.deepEqual(
    findings.map(({ check, streamId, version, repair }) => [check, streamId, version, repair]).sort(),
    [
      ['event_replaced', 'stream-10', '6', 'put_back_events'],
      ['stream_duplicates', 'stream-10', null, 'remove_copies'],
      ['stream_duplicates', 'stream-9', null, 'remove_copies'],
    ],
  );
});

test('a bit that flipped in the file of the table is found, with its event', async () => {
  const database = await copyOf('flipped');
  await changeFile(database, 'eventcore_events', (bytes) => {
    const digest = 'cfcd208495d565ef66e7dff9f98764da';
    const place = bytes.indexOf(digest.repeat(4));
    assert.notEqual(place, -1);
    bytes[place + 5]! ^= 1;
  });
  const { findings } = await sample(database);
  assert.deepEqual(
    findings.map(({ check, streamId, version, place }) => [check, streamId, version, place?.kind]),
    [['event_changed', 'stream-0', '1', 'block']],
  );
});

test('blocks that the server cannot read are findings, and the others are read all the same', async () => {
  const database = await copyOf('unreadable');
  await changeFile(database, 'eventcore_events', (bytes) => {
    bytes.fill(0xff, 40 * PAGE_BYTES, 40 * PAGE_BYTES + 24);
  });
  const [row] = await server.exec(
    `SELECT reltoastrelid::regclass::text AS toast FROM pg_class WHERE relname = 'eventcore_events'`,
    database,
  );
  await changeFile(database, String(row!.toast), (bytes) => {
    bytes.fill(0, 0, PAGE_BYTES);
  });
  const { findings, eventsChecked, skipped, blocksTotal, sweep } = await sample(database);
  assert.deepEqual(skipped, {});
  const last = blocksTotal - 1;
  assert.deepEqual(
    findings.map(({ check, place }) => [check, place?.number]),
    [
      ['block_unreadable', 1],
      ['block_unreadable', last],
    ],
  );
  assert.match(findings[0]!.message, /^block 1 of the events cannot be read: .*invalid page in block 40/);
  assert.match(findings[1]!.message, /chunk number \d .*for toast value/);
  assert.ok(eventsChecked > (EVENTS * (blocksTotal - 3)) / blocksTotal);
  assert.deepEqual(
    sweep.suspects.map(({ number }) => number),
    [1, blocksTotal - 1],
  );
});
