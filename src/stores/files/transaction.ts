import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { BackupError } from '../../core/errors.ts';
import { EVENT_KEYS, type EventSpans, linesOf, type Span, sliceText, valueSpans } from './json-lines.ts';

/** One file of a store: a header, and behind its line end the payload, a line an event. */
export interface TransactionHeader {
  /** 1 has no content hash. */
  readonly formatVersion: number;
  readonly transactionId: string;
  readonly replicaId: string;
  readonly parentIds: readonly string[];
  /** As it stands there: EventCore compares it as text. */
  readonly createdAt: string;
  readonly streamBases: Readonly<Record<string, number>>;
  readonly contentHash: string | null;
}

export interface EventLine {
  readonly spans: EventSpans;
  /** Lower case. */
  readonly id: string;
  readonly stream: string;
  /** As the writer counted; what counts is the order of all transactions. */
  readonly advisoryVersion: number;
}

export interface TransactionFile {
  readonly header: TransactionHeader;
  /** Where the payload begins. */
  readonly payloadStart: number;
  /** Null: the payload is not what the header's hash says. */
  readonly events: readonly EventLine[] | null;
}

export const NEWEST_FORMAT = 2;
const LINE_FEED = 0x0a;

/**
 * Reads a file as EventCore does. Throws `damaged` for what EventCore cannot open the store with, `store_unsupported` for a
 * format of a newer EventCore.
 */
export function parseTransaction(bytes: Uint8Array, name: string): TransactionFile {
  if (!isUtf8(bytes)) throw unreadable(name, 'it is no UTF-8');
  const lineEnd = bytes.indexOf(LINE_FEED);
  if (lineEnd === -1) throw unreadable(name, 'it has no header line');
  const header = parseHeader(bytes, { start: 0, end: lineEnd }, name);
  const payloadStart = lineEnd + 1;
  const isIntact =
    header.contentHash === null || contentHash(bytes.subarray(payloadStart)) === header.contentHash;
  if (!isIntact) return { header, payloadStart, events: null };
  const events = Array.from(linesOf(bytes, payloadStart), (line) => parseEvent(bytes, line, name));
  return { header, payloadStart, events };
}

/** SHA-256 in hex of exactly these bytes. */
export function contentHash(payload: Uint8Array): string {
  return hash('sha256', payload, 'hex');
}

function parseHeader(bytes: Uint8Array, line: Span, name: string): TransactionHeader {
  const fields = parseObject(bytes, line, name);
  const {
    transaction_id: transactionId,
    replica_id: replicaId,
    parent_transaction_ids: parentIds,
    created_at: createdAt,
    stream_bases: streamBases,
    content_hash: anchor = null,
    format_version: formatVersion,
  } = fields;
  const isHeader =
    fields.record === 'header' &&
    isCount(formatVersion) &&
    [transactionId, replicaId].every(isUuid) &&
    Array.isArray(parentIds) &&
    parentIds.every(isUuid) &&
    typeof createdAt === 'string' &&
    isRecord(streamBases) &&
    Object.values(streamBases).every(isCount) &&
    (anchor === null || typeof anchor === 'string');
  if (!isHeader) throw unreadable(name, 'its first line is no header of a transaction');
  if (formatVersion > NEWEST_FORMAT) {
    throw new BackupError('store_unsupported', `${name} has format version ${formatVersion}`, {
      hint: `this version of the program knows versions up to ${NEWEST_FORMAT}: take a newer one`,
    });
  }
  return {
    formatVersion,
    transactionId: String(transactionId).toLowerCase(),
    replicaId: String(replicaId).toLowerCase(),
    parentIds: parentIds.map((id: string) => id.toLowerCase()),
    ...{ createdAt, streamBases: streamBases as Record<string, number>, contentHash: anchor },
  };
}

function parseEvent(bytes: Uint8Array, line: Span, name: string): EventLine {
  const fields = parseObject(bytes, line, name);
  const { event_id: id, stream_id: stream, stream_version: version, event_type: type } = fields;
  const spans = valueSpans(bytes, line);
  const isEvent =
    spans !== null &&
    fields.record === 'event' &&
    EVENT_KEYS.every((key) => key in spans) &&
    isUuid(id) &&
    isCount(version) &&
    [stream, type].every((text) => typeof text === 'string' && text.isWellFormed());
  if (!isEvent) throw unreadable(name, 'a line of it is no event');
  return { spans, id: id.toLowerCase(), stream: stream as string, advisoryVersion: version };
}

function parseObject(bytes: Uint8Array, line: Span, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(sliceText(bytes, line));
    if (isRecord(value)) return value;
  } catch (cause) {
    throw unreadable(name, 'a line of it is no JSON', cause);
  }
  throw unreadable(name, 'a line of it is no object');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}

function unreadable(name: string, reason: string, cause?: unknown): BackupError {
  return new BackupError('damaged', `${name} cannot be read: ${reason}`, {
    hint: 'EventCore cannot open the store either: take the file from Git, a clone or a backup',
    cause,
  });
}

/** One event as EventCore writes it, but for the version between the two halves. */
export interface EventHalves {
  readonly head: string;
  readonly tail: string;
}

/** `data` and `metadata` are JSON text in one line. */
export function eventHalves(
  id: string,
  stream: string,
  { type, data, metadata }: { readonly type: string; readonly data: string; readonly metadata: string },
): EventHalves {
  return {
    head: `{"record":"event","event_id":"${id}","stream_id":${JSON.stringify(stream)},"stream_version":`,
    tail: `,"event_type":${JSON.stringify(type)},"event_data":${data},"metadata":${metadata}}\n`,
  };
}

/** A whole file of a new transaction. The keys stand in EventCore's order. */
export function encodeTransaction(
  header: Omit<TransactionHeader, 'formatVersion' | 'contentHash'>,
  payload: Uint8Array,
): Uint8Array {
  const bases = Object.entries(header.streamBases).sort(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  // Not through an object: keys that look like numbers would come first.
  const texts = bases.map(([stream, base]) => `${JSON.stringify(stream)}:${base}`);
  const line =
    `{"record":"header","format_version":${NEWEST_FORMAT},"transaction_id":"${header.transactionId}",` +
    `"replica_id":"${header.replicaId}","parent_transaction_ids":${JSON.stringify(header.parentIds)},` +
    `"created_at":${JSON.stringify(header.createdAt)},"stream_bases":{${texts.join(',')}},` +
    `"content_hash":"${contentHash(payload)}"}\n`;
  return Buffer.concat([Buffer.from(line), payload]);
}
