/** Feeds bytes to a receiver as a socket does, and notes what comes out. */
import assert from 'node:assert/strict';
import type { ChangeBatch } from '../../../src/core/change-feed.ts';
import {
  type ChangeReceiver,
  cut,
  giveBack,
  makeReceiver,
  received,
  room,
} from '../../../src/stores/postgres/change-receiver.ts';
import { batchRows, type TestEvent } from '../../../src/testing/batches.ts';
import { RELATION } from './pgoutput-messages.ts';

export interface Seen {
  readonly xid: number;
  readonly commit: bigint;
  readonly time: bigint;
  readonly changes: (Required<TestEvent> | string)[];
}

export interface Reading {
  readonly receiver: ChangeReceiver;
  readonly seen: Seen[];
  readonly batches: { isOpen: boolean; isContinued: boolean; to: bigint | null; transactions: number }[];
  readonly messages: string[];
  replies: number;
}

export function startReading(batchBytes: number, from = 0n): Reading {
  const messages: string[] = [];
  const reading: Reading = {
    receiver: makeReceiver(RELATION, from, batchBytes, {
      message: (bytes) => messages.push(bytes.toString('latin1', 0, 1)),
      replyRequested: () => {
        reading.replies += 1;
      },
    }),
    ...{ seen: [], batches: [], messages, replies: 0 },
  };
  return reading;
}

/** Notes what a batch says, and that it keeps the rules of the port. */
function note(reading: Reading, batch: Omit<ChangeBatch, 'asOf' | 'horizon'>): void {
  const { seen, batches } = reading;
  const { transactions, removals, isContinued, isOpen, to } = batch;
  assert.equal(isContinued, batches.at(-1)?.isOpen ?? false, 'the rest follows what is open');
  assert.equal(isOpen, to === null);
  if (isContinued)
    assert.equal(transactions.count, 1, 'a batch that begins inside a transaction ends with it');
  batches.push({ isOpen, isContinued, to, transactions: transactions.count });
  const rows = batchRows(batch.events);
  let row = 0;
  let removal = 0;
  for (let i = 0; i < transactions.count; i += 1) {
    const [xid, position, time] = [transactions.xids[i]!, transactions.commits[i]!, transactions.times[i]!];
    if (i > 0 || !isContinued) seen.push({ xid, commit: position, time, changes: [] });
    const { changes, ...head } = seen.at(-1)!;
    assert.deepEqual(head, { xid, commit: position, time });
    const takeRemovals = (): void => {
      for (; removals[removal]?.transaction === i && removals[removal]!.afterEvents === row; removal += 1) {
        changes.push(`${removals[removal]!.kind} ${removals[removal]!.eventId}`);
      }
    };
    const end = row + transactions.events[i]!;
    takeRemovals();
    while (row < end) {
      changes.push(rows[row]!);
      row += 1;
      takeRemovals();
    }
  }
  assert.equal(row, rows.length, 'each event is of a transaction');
  assert.equal(removal, removals.length, 'each removal is');
}

export function takeBatch(reading: Reading): void {
  const taken = cut(reading.receiver);
  if (taken === null) return;
  note(reading, taken.batch);
  giveBack(reading.receiver, taken.rows);
}

/** Feeds bytes cut at `cuts`; a read that is prepared before a batch is taken keeps its place, as a socket's does. */
export function feed(
  reading: Reading,
  bytes: Uint8Array,
  cuts: readonly number[],
  linger: readonly boolean[] = [],
): void {
  const ends = [...new Set(cuts.map((at) => at % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  let reads = 0;
  const { receiver } = reading;
  let place = room(receiver);
  for (const end of [...ends, bytes.length]) {
    while (from < end) {
      const part = bytes.subarray(from, Math.min(end, from + place.length));
      place.set(part);
      from += part.length;
      received(receiver, part.length, reads);
      place = room(receiver);
      reads += 1;
      if (linger[reads % linger.length] === true && !receiver.isDue) takeBatch(reading);
      while (receiver.isDue) takeBatch(reading);
    }
  }
}

export function finish(reading: Reading): Seen[] {
  takeBatch(reading);
  while (reading.receiver.isDue) takeBatch(reading);
  return reading.seen;
}
