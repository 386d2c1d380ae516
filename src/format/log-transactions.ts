import type { TransactionTable } from '../core/change-feed.ts';
import { BackupError } from '../core/errors.ts';
import { makeByteWriter, reserve, writtenBytes } from './byte-writer.ts';
import { chunkDamage } from './chunk-damage.ts';
import { readTimeSteps, writeTimes } from './columns/times.ts';
import { type ByteReader, makeByteReader, readVarint, unzigzag, writeVarint, zigzag } from './varint.ts';

/** Of each transaction at least this much is written: a byte in each of the four columns. */
const LEAST_BYTES = 4;
/** A step of 33 bits, and a number of 32. */
const VARINT_BYTES = 5;

/** The transactions of a block as columns: steps of their numbers, commits and times, and counts of events (FORMAT.md §11.4). */
export function encodeTransactions(table: TransactionTable): Uint8Array {
  const { count, xids, commits, times, events } = table;
  const out = makeByteWriter();
  reserve(out, count * VARINT_BYTES);
  let last = 0;
  for (let i = 0; i < count; i += 1) {
    const xid = xids[i]!;
    writeVarint(out, zigzag((xid - last) | 0));
    last = xid;
  }
  writeTimes(out, signed(commits), count);
  writeTimes(out, times, count);
  reserve(out, count * VARINT_BYTES);
  for (let i = 0; i < count; i += 1) writeVarint(out, events[i]!);
  return writtenBytes(out);
}

/** Throws `damaged` for anything that `encodeTransactions` does not write. */
export function decodeTransactions(plain: Uint8Array, count: number): TransactionTable {
  const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
  if (count * LEAST_BYTES > bytes.length) throw chunkDamage('columns', 'too few transactions', bytes.length);
  const reader = makeByteReader('columns', bytes, 0, bytes.length);
  const xids = readXids(reader, count);
  const commits = new BigUint64Array(count);
  readTimeSteps(reader, signed(commits), count);
  const times = new BigInt64Array(count);
  readTimeSteps(reader, times, count);
  const events = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) events[i] = readWord(reader);
  if (reader.at !== reader.end) throw chunkDamage('columns', 'more than its transactions', reader.at);
  return { count, xids, commits, times, events };
}

function readXids(reader: ByteReader, count: number): Uint32Array {
  const xids = new Uint32Array(count);
  let last = 0;
  for (let i = 0; i < count; i += 1) {
    last = (last + unzigzag(readWord(reader))) >>> 0;
    xids[i] = last;
  }
  return xids;
}

function readWord(reader: ByteReader): number {
  const { at } = reader;
  const value = readVarint(reader);
  if (value > 0xffff_ffff) throw chunkDamage('columns', 'a number of more than 32 bits', at);
  return value;
}

/** The steps from one commit to the next are written like those of times, modulo 2^64. */
function signed({ buffer, byteOffset, length }: BigUint64Array): BigInt64Array {
  return new BigInt64Array(buffer, byteOffset, length);
}

export interface TransactionFacts {
  readonly events: number;
  /** Null when there is no transaction. */
  readonly firstCommit: bigint | null;
  readonly lastCommit: bigint | null;
  readonly earliest: bigint | null;
  readonly latest: bigint | null;
}

/** What a block's header says of its transactions. Throws `damaged` when their commits do not ascend. */
export function factsOfTransactions({ count, commits, times, events }: TransactionTable): TransactionFacts {
  if (count === 0) return { events: 0, firstCommit: null, lastCommit: null, earliest: null, latest: null };
  let sum = events[0]!;
  let earliest = times[0]!;
  let latest = earliest;
  for (let i = 1; i < count; i += 1) {
    if (commits[i]! <= commits[i - 1]!) {
      throw new BackupError('damaged', `transaction ${i} of a block commits before the one before it`);
    }
    const time = times[i]!;
    if (time < earliest) earliest = time;
    if (time > latest) latest = time;
    sum += events[i]!;
  }
  return { events: sum, firstCommit: commits[0]!, lastCommit: commits[count - 1]!, earliest, latest };
}
