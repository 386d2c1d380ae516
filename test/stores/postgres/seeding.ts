import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, isBackupError } from '../../../src/core/errors.ts';
import type { BatchReader, EventStore, StoreRange, StoreSnapshot } from '../../../src/core/event-store.ts';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { batchRows, type TestEvent } from '../../../src/testing/batches.ts';
import type { TestPostgres } from '../../harness/postgres.ts';

const opened: EventStore[] = [];

/** Opens a store that `closeStores` closes, also when a test fails. */
export function openStore(address: string): EventStore {
  const store = openPostgresStore(address);
  opened.push(store);
  return store;
}

export async function closeStores(): Promise<void> {
  for (const store of opened.splice(0)) await store.close();
}

/** Puts `count` events of about 300 bytes into 97 streams, past the triggers. */
export async function seedEvents(server: TestPostgres, database: string, count: number): Promise<void> {
  await asOwner(
    server,
    database,
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, created_at)
     SELECT gen_random_uuid(), 'stream-' || i % 97, i / 97 + 1, 'Type' || i % 5,
            jsonb_build_object('n', i, 'text', repeat(md5(i::text), 4)), now()
       FROM generate_series(0, ${count - 1}) AS i`,
  );
}

/** Runs SQL on the events with their triggers off, as only their owner can. */
export async function asOwner(server: TestPostgres, database: string, sql: string): Promise<void> {
  await server.exec(
    `ALTER TABLE eventcore_events DISABLE TRIGGER USER; ${sql}; ALTER TABLE eventcore_events ENABLE TRIGGER USER`,
    database,
  );
}

/** `count` events of one stream, from version 1. */
export function streamOf(count: number, streamId = 'account-1', first = 0): TestEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `01932f3e-7c00-7a01-8b02-${(first + i).toString(16).padStart(12, '0')}`,
    streamId,
    version: i + 1,
    data: `{"n": ${i}}`,
  }));
}

/** Names of the schemas that restores load into. */
export async function readStagingSchemas(server: TestPostgres, database: string): Promise<string[]> {
  const rows = await server.exec(
    "SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'eventcore_restore%'",
    database,
  );
  return rows.map((row) => String(row.name));
}

/** Waits until a session waits for a lock with a statement like this. */
export async function untilWaiting(server: TestPostgres, statement: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const rows = await server.exec(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '${statement}'`,
    );
    if (rows.length > 0) return;
    await sleep(50);
  }
  assert.fail(`${statement} never waited for a lock`);
}

export async function readRows(
  reader: BatchReader,
  ranges: readonly StoreRange[],
): Promise<Required<TestEvent>[]> {
  const rows: Required<TestEvent>[] = [];
  for (const range of ranges) {
    for await (const batch of reader.readRange(range, { batchBytes: 1 << 16 }))
      rows.push(...batchRows(batch));
  }
  return rows;
}

export async function readSnapshot(snapshot: StoreSnapshot): Promise<Required<TestEvent>[]> {
  return readRows(snapshot, await snapshot.planRanges(1));
}

/** Fails unless `work` is rejected with this code and its message or hint matches. */
export async function refused(work: Promise<unknown>, code: ErrorCode, text = /./): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isBackupError(error), `not a BackupError: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message}\n${error.hint}`, text);
    return true;
  });
}
