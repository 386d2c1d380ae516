import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import type { StoreSnapshot } from '../../core/event-store.ts';
import { batchMaker } from './block-batch.ts';
import { type Block, blockCapacity, FIRST_PACE, fillBlock } from './blocks.ts';
import { readCompanions } from './companions.ts';
import type { SqliteConfig } from './config.ts';
import { connect, rollBack } from './connection.ts';
import { guarded } from './errors.ts';
import { type EventRows, eventRows, type KeyRange } from './event-rows.ts';
import { assertStore, rowKeyOf } from './inspector.ts';
import { planNewRows, readCursor } from './new-rows.ts';
import { countRows, estimateRows, keyRangesOf, planBlocks, planRanges } from './ranges.ts';
import { shareView } from './shared-view.ts';
import { readSampledSummaries, readSummaries } from './summaries.ts';
import { planTails } from './tails.ts';

/**
 * A read transaction, held until the snapshot is closed. In WAL mode (EventCore's) writers go on meanwhile, though the
 * `-wal` file cannot shrink; in a rollback-journal mode they wait.
 *
 * Values come as bytes, whatever their storage class: a BLOB in a text column is restored as TEXT of the same bytes.
 */
export function openSqliteSnapshot(config: SqliteConfig): StoreSnapshot {
  const db = connect(config, 'read');
  const { address } = config;
  try {
    return guarded(address, () => {
      db.exec('BEGIN');
      assertStore(db, config);
      const rows = eventRows(db, config, rowKeyOf(db, config));
      const cursor = readCursor(rows, config);
      const view = shareView(rows, address);
      return {
        token: view.token,
        servesJoined: true,
        cursor,
        // A row that is written over keeps its number.
        showsRewritten: false,
        archivedAs: config.layout.foreign?.archivedAs,
        // A commit that others can see is in the file, or in its log: a crash of the machine may take it back only where
        // the database was told not to wait for the disk, and the heads show it then.
        settledCursor: async () => cursor,
        planChanges: async (since) => guarded(address, () => planNewRows(rows, since, cursor)),
        planChangesIn: async () => 'SQLite keeps no number of a transaction with its rows',
        planTails: async (tails) => guarded(address, () => planTails(rows, tails)),
        countEvents: async () => guarded(address, () => countRows(rows)),
        planBlocks: async () => guarded(address, () => planBlocks(rows)),
        readSummaries: ({ sample } = {}) =>
          sample === undefined ? readSummaries(db, config) : readSampledSummaries(db, config, sample),
        estimate: async () => guarded(address, () => estimateRows(rows)),
        planRanges: async (parallel) => guarded(address, () => planRanges(rows, parallel)),
        readRange: (range, options) => readBatches(rows, keyRangesOf(range), address, options),
        readCompanions: () => readCompanions(db, config),
        close: async () => {
          view.close();
          closeSnapshot(db);
        },
      };
    });
  } catch (error) {
    closeSnapshot(db);
    throw error;
  }
}

function closeSnapshot(db: DatabaseSync): void {
  if (!db.isOpen) return;
  rollBack(db);
  db.close();
}

async function* readBatches(
  rows: EventRows,
  ranges: readonly KeyRange[],
  address: string,
  { batchBytes, signal }: { batchBytes: number; signal?: AbortSignal },
): AsyncGenerator<EventBatch> {
  const makeBatch = batchMaker();
  const bytes = new Uint8Array(blockCapacity(batchBytes));
  const block: Block = { bytes, used: 0, events: 0, pace: FIRST_PACE };
  for (const { after: first, last } of ranges) {
    let after = first;
    for (;;) {
      throwIfAborted(signal);
      const rest = { after, last };
      after = guarded(address, () => fillBlock(rows, rest, batchBytes, block, address));
      if (after === null) break;
      yield makeBatch(block.bytes.subarray(0, block.used), block.events);
      // SQLite works in this thread: signals, timers and the thread pool's results come through here.
      await nextTurn();
    }
  }
}
