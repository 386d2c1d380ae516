import assert from 'node:assert/strict';
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
