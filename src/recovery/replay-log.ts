import type { TransactionTable } from '../core/change-feed.ts';
import { BackupError } from '../core/errors.ts';
import { type EventBatch, selectRows } from '../core/event-batch.ts';
import { idText } from '../core/event-id.ts';
import type { BatchWriter } from '../core/event-store.ts';
import { holdsVersion } from '../core/stream-entry.ts';
import { addBatch, findStream, headId, makeStreamTable, type StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import { partOf } from '../format/log-header.ts';
import { type LogBlock, readingOf, readLogBlocks } from '../format/log-reader.ts';
import { makeGreatestId } from './greatest-id.ts';
import { belongsTo } from './meeting.ts';
import type { LogPart } from './plan-recovery.ts';
import { hasRemovals, isRemoved } from './removals.ts';

export interface ReplayResult {
  readonly events: number;
  readonly transactions: number;
  /** What was written of each stream. */
  readonly table: StreamTable;
  readonly greatestId: string | null;
}

export interface ReplayOptions {
  /** What the base holds of each stream; only asked where the log cannot tell by transactions. */
  readonly baseTable: StreamTable | null;
  readonly onProgress?: (events: number, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes what the log has beyond the base and before the cut, block by block, transactions whole. The writer is neither ended
 * nor aborted. Throws `damaged`, or `store_diverged` where base and log are not of one store.
 */
export async function replayLog(
  { vault, writer }: { readonly vault: Vault; readonly writer: BatchWriter },
  part: LogPart,
  { baseTable, onProgress, signal }: ReplayOptions,
): Promise<ReplayResult> {
  const { files, from, measured } = part;
  const { cut } = measured;
  const table = makeStreamTable();
  const greatest = makeGreatestId();
  const picker: Picker = { part, baseTable, number: 0, firstBehind: null };
  const result = { events: 0, transactions: 0 };
  const options = { ...readingOf(part.facts.timeline), signal, windowBytes: READ_BYTES };
  for await (const block of readLogBlocks(vault, files, options)) {
    const { header } = block;
    const { firstCommit, lastCommit, isContinued } = header;
    if (cut !== null && firstCommit !== null && firstCommit >= cut) break;
    const stored = partOf(header, 'events');
    if (stored !== null && lastCommit! >= from) {
      const picked = await pickRows(picker, block);
      if (picked.batch !== null) {
        await writer.write(picked.batch);
        addBatch(table, picked.batch);
        greatest.note(picked.batch);
        result.events += picked.batch.count;
      }
      // The rest of a transaction was counted with its beginning.
      result.transactions += picked.transactions - (isContinued && picked.hasFirst ? 1 : 0);
      onProgress?.(picked.batch?.count ?? 0, stored.plainBytes);
    }
    picker.number += stored?.records ?? 0;
  }
  return { ...result, table, greatestId: greatest.text() };
}

/** Whole blocks of an archiver at work, and more of one that joined them. */
const READ_BYTES = 1 << 20;

interface Picker {
  readonly part: LogPart;
  readonly baseTable: StreamTable | null;
  /** Of the next event of the log. */
  number: number;
  /** Commit of the first transaction behind the base's position. */
  firstBehind: bigint | null;
}

interface Picked {
  /** Null when nothing of the block is wanted. Valid until the next block. */
  readonly batch: EventBatch | null;
  readonly transactions: number;
  /** The first transaction of the block is among them. */
  readonly hasFirst: boolean;
}

const NOTHING: Picked = { batch: null, transactions: 0, hasFirst: false };

/** The rows of a block that are not in the base, not beyond the cut, and were not removed later. */
async function pickRows(picker: Picker, block: LogBlock): Promise<Picked> {
  const table = await block.transactions();
  const owners = ownersOf(picker, table);
  if (owners.every((owner) => owner === 'none')) return NOTHING;
  const batch = (await block.events())!;
  const rows: number[] = [];
  let transactions = 0;
  let row = 0;
  owners.forEach((owner, i) => {
    const end = row + table.events[i]!;
    if (owner === 'none') {
      row = end;
      return;
    }
    let isOurs = owner === 'log';
    for (; row < end; row += 1) {
      if (owner === 'heads' && isKnown(picker, batch, row)) continue;
      isOurs = true;
      if (!isGone(picker, batch, row)) rows.push(row);
    }
    if (isOurs) transactions += 1;
  });
  const picked = rows.length === 0 ? null : selectRows(batch, rows);
  return { batch: picked, transactions, hasFirst: owners[0] !== 'none' };
}

type Owner = 'none' | 'log' | 'heads';

function ownersOf(picker: Picker, { count, xids, commits }: TransactionTable): Owner[] {
  const { base, measured } = picker.part;
  return Array.from({ length: count }, (_, i): Owner => {
    const commit = commits[i]!;
    if (measured.cut !== null && commit >= measured.cut) return 'none';
    const owner = belongsTo(base, xids[i]!, commit);
    if (owner === 'base') return 'none';
    if (owner === 'heads' || base.oldestOpen !== null) return owner;
    // One that a poll put together may be in the base in part: it began before the view was taken.
    picker.firstBehind ??= commit;
    return commit === picker.firstBehind ? 'heads' : 'log';
  });
}

/** Whether the base has the event. Throws `store_diverged` when it has another one in its place. */
function isKnown({ baseTable }: Picker, batch: EventBatch, row: number): boolean {
  const { stream, versions } = batch;
  const table = baseTable!;
  const index = findStream(table, batch.bytes, stream.starts[row]!, stream.lengths[row]!);
  const version = versions[row]!;
  if (index === -1 || !holdsVersion(table, index, version)) return false;
  if (version !== table.headVersion[index]!) return true;
  const [here, there] = [idText(batch, row), headId(table, index)];
  if (here.toLowerCase() === there.toLowerCase()) return true;
  throw new BackupError(
    'store_diverged',
    `the log has event ${here} where the backup has ${there}: it is the log of another store`,
    {
      hint: 'restore the backup alone with --backup ID, or take a new full backup of the store that is archived',
    },
  );
}

function isGone({ part, number }: Picker, batch: EventBatch, row: number): boolean {
  const { removed } = part.measured;
  return hasRemovals(removed) && isRemoved(removed, idText(batch, row), number + row);
}
