import crypto from 'node:crypto';
import type { Removal, TransactionTable } from '../core/change-feed.ts';
import { BackupError } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import type { ChunkFormat } from '../core/manifest.ts';
import { type ChunkCodec, chunkCodec } from './chunk-codec.ts';
import { decompress } from './compression.ts';
import { removalText } from './log-block.ts';
import { type BlockHeader, type BlockPart, type BlockRole, boundDigest, partOf } from './log-header.ts';
import { decodeTransactions, factsOfTransactions } from './log-transactions.ts';
import { releaseBytes } from './release.ts';
import { openPiece, type PiecePlace, SEAL_BYTES, type Seal } from './seal.ts';

/** A file, fetched piece by piece. */
export interface Source {
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What is known of events that were checked and not put together. */
export type CheckedEvents = Omit<EventBatch, 'data' | 'metadata'>;

/** What the last batch of a reader lies in. */
export interface Lent {
  readonly codecs: Map<ChunkFormat, ChunkCodec>;
  plain: Uint8Array | null;
}

export function takeBack(lent: Lent): void {
  if (lent.plain !== null) releaseBytes(lent.plain);
  lent.plain = null;
}

/** The plain bytes of a part, checked against its digest; null when the block has none. `seal` is asked for what is sealed. */
export async function readPart(
  source: Source,
  header: BlockHeader,
  partsAt: number,
  role: BlockRole,
  seal: () => Promise<Seal>,
): Promise<Uint8Array | null> {
  const part = partOf(header, role);
  if (part === null) return null;
  const stored = await readStored(source, header, partsAt, role);
  const frame = header.sealing == null ? stored : openPiece(await seal(), placeOf(header, role), stored);
  return decompress(isFrame(header, part) ? header.compression : 'none', frame, part.plainBytes);
}

function placeOf(header: BlockHeader, role: BlockRole): PiecePlace {
  const { parts } = header;
  const number = parts.findIndex((part) => part.role === role);
  return { file: boundDigest(header), number, isLast: number === parts.length - 1 };
}

/** The id of the block's last event, as the host that wrote it sealed it for itself; null when it did not. */
export function openLastEvent(header: BlockHeader, memory: Seal): string | null {
  const { lastEvent = null } = header.sealing ?? {};
  if (lastEvent === null) return null;
  const place = { file: boundDigest(header), number: header.parts.length, isLast: true };
  return Buffer.from(openPiece(memory, place, Buffer.from(lastEvent, 'base64'))).toString();
}

/** The bytes of a part that the block has, as they are stored, checked against its digest. */
export async function readStored(
  source: Source,
  header: BlockHeader,
  partsAt: number,
  role: BlockRole,
): Promise<Uint8Array> {
  const place = header.parts.findIndex((part) => part.role === role);
  const part = header.parts[place]!;
  const offset = header.parts.slice(0, place).reduce((sum, { storedBytes }) => sum + storedBytes, partsAt);
  const stored = await source.read(offset, part.storedBytes);
  if (crypto.hash('sha256', stored, 'hex') === part.sha256) return stored;
  throw new BackupError('damaged', `its ${role} do not have their checksum`);
}

function isFrame({ sealing }: BlockHeader, { role, storedBytes, plainBytes }: BlockPart): boolean {
  return role === 'events' || storedBytes - (sealing == null ? 0 : SEAL_BYTES) < plainBytes;
}

export function readTransactions(header: BlockHeader, plain: Uint8Array): TransactionTable {
  const table = decodeTransactions(plain, header.transactions);
  const facts = factsOfTransactions(table);
  const { firstCommit, lastCommit, earliest, latest } = header;
  const isSame =
    facts.events === (partOf(header, 'events')?.records ?? 0) &&
    facts.firstCommit === firstCommit &&
    facts.lastCommit === lastCommit &&
    facts.earliest === earliest &&
    facts.latest === latest;
  if (isSame) return table;
  throw new BackupError('damaged', 'its transactions are not those that its header describes');
}

/** The events of a block, as they lie in `plain`. */
export function readEvents(header: BlockHeader, plain: Uint8Array, lent: Lent): EventBatch {
  return counted(header, lendPlain(header, plain, lent).decode(plain));
}

/** As `readEvents`, for who only wants to know that they are sound. */
export function checkEvents(header: BlockHeader, plain: Uint8Array, lent: Lent): CheckedEvents {
  return counted(header, lendPlain(header, plain, lent).check(plain));
}

function lendPlain({ format, compression }: BlockHeader, plain: Uint8Array, lent: Lent): ChunkCodec {
  const codec = lent.codecs.get(format) ?? chunkCodec(format);
  lent.codecs.set(format, codec);
  takeBack(lent);
  // Stored bytes that were never compressed lie in a window that other parts are read from.
  if (compression !== 'none') lent.plain = plain;
  return codec;
}

function counted<Batch extends { readonly count: number }>(header: BlockHeader, batch: Batch): Batch {
  const { records } = partOf(header, 'events')!;
  if (batch.count === records) return batch;
  throw new BackupError('damaged', `it holds ${batch.count} events, not ${records}`);
}

export function readRemovals(header: BlockHeader, plain: Uint8Array): Removal[] {
  const text = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString('utf8');
  const events = partOf(header, 'events')?.records ?? 0;
  const lines = text.split('\n').slice(0, -1);
  const removals = lines.map((line) => {
    const removal = parseRemoval(line);
    const isInside =
      removal !== null && removal.transaction < header.transactions && removal.afterEvents <= events;
    if (isInside && removalText(removal) === line) return removal;
    throw new BackupError('damaged', 'a line of its removals is none');
  });
  const isWhole = removals.length === partOf(header, 'removals')!.records;
  // Bytes and not text: what is no UTF-8 became text that is.
  if (isWhole && text.endsWith('\n') && Buffer.from(text).equals(plain)) return removals;
  throw new BackupError('damaged', `it holds ${removals.length} removals`);
}

function parseRemoval(line: string): Removal | null {
  try {
    const value = JSON.parse(line) as Removal;
    const isCounted = [value.afterEvents, value.transaction].every((n) => Number.isSafeInteger(n) && n >= 0);
    const isKnown = ['truncate', 'delete', 'update'].includes(value.kind);
    return isCounted && isKnown && (value.eventId === null || typeof value.eventId === 'string')
      ? value
      : null;
  } catch {
    return null;
  }
}
