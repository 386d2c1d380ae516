import crypto from 'node:crypto';
import { type EventBatch, NULL_LENGTH, type Spans } from '../core/event-batch.ts';
import { parseUuid } from '../core/uuid-text.ts';

/**
 * A digest over events that does not depend on their order: the SHA-256 of each event, taken as eight 32-bit lanes,
 * added up lane by lane. Two stores with the same events have the same digest, however they are laid out. It tells
 * accident apart from equality; it is no defence against somebody who makes up events to fit.
 */
export interface ContentDigest {
  events: number;
  readonly lanes: Uint32Array;
}

export function makeContentDigest(): ContentDigest {
  return { events: 0, lanes: new Uint32Array(8) };
}

/** Adds each event of a batch: every field, with its length, so that no two events look alike. */
export function addToContentDigest(digest: ContentDigest, batch: EventBatch): void {
  for (let row = 0; row < batch.count; row += 1) {
    const hash = eventDigest(batch, row);
    for (let lane = 0; lane < 8; lane += 1) {
      digest.lanes[lane] = digest.lanes[lane]! + hash.readUInt32LE(lane * 4);
    }
  }
  digest.events += batch.count;
}

let scratch = Buffer.alloc(4096);

/** SHA-256 over every field of one event: equal for equal events, however store or chunk keeps them. */
export function eventDigest(batch: EventBatch, row: number): Buffer {
  const size = eventSize(batch, row);
  if (size > scratch.length) scratch = Buffer.alloc(size * 2);
  const used = writeEvent(scratch, batch, row);
  return crypto.hash('sha256', scratch.subarray(0, used), 'buffer');
}

/** SHA-256 over one field, in hex. */
export function fieldDigest(bytes: Uint8Array): string {
  return crypto.hash('sha256', bytes, 'hex');
}

const SHORT_BYTES = 6;

/** 48 bits of an event's digest, exact as a number. */
export function shortDigest(batch: EventBatch, row: number): number {
  return eventDigest(batch, row).readUIntLE(0, SHORT_BYTES);
}

/** SHA-256 over what an event says: its type, data and metadata. */
export function payloadDigest(batch: EventBatch, row: number): Buffer {
  const size = eventSize(batch, row);
  if (size > scratch.length) scratch = Buffer.alloc(size * 2);
  let at = 0;
  for (const spans of [batch.type, batch.data, batch.metadata]) {
    at = writeBytes(scratch, at, batch.bytes, spans.starts[row]!, spans.lengths[row]!);
  }
  return crypto.hash('sha256', scratch.subarray(0, at), 'buffer');
}

export function contentDigestText(digest: ContentDigest): string {
  return Array.from(digest.lanes, (lane) => lane.toString(16).padStart(8, '0')).join('');
}

const FIXED_BYTES = 64;

function textSpans(batch: EventBatch): Spans[] {
  return [batch.stream, batch.type, batch.data, batch.metadata];
}

function eventSize(batch: EventBatch, row: number): number {
  let size = FIXED_BYTES + batch.id.lengths[row]! + (batch.timeTexts?.get(row)?.length ?? 0);
  for (const spans of textSpans(batch)) {
    const length = spans.lengths[row]!;
    size += 4 + (length === NULL_LENGTH ? 0 : length);
  }
  return size;
}

function writeEvent(out: Buffer, batch: EventBatch, row: number): number {
  let at = writeId(out, batch, row);
  at = out.writeDoubleLE(batch.versions[row]!, at);
  at = out.writeBigInt64LE(batch.times[row]!, at);
  const timeText = batch.timeTexts?.get(row);
  if (timeText !== undefined) at = writeBytes(out, at, timeText, 0, timeText.length);
  for (const spans of textSpans(batch)) {
    at = writeBytes(out, at, batch.bytes, spans.starts[row]!, spans.lengths[row]!);
  }
  return at;
}

/** An id that is a UUID counts as its 16 bytes, whether the store keeps it as such or as text. */
function writeId(out: Buffer, batch: EventBatch, row: number): number {
  const start = batch.id.starts[row]!;
  const length = batch.id.lengths[row]!;
  const isUuidText = batch.idKind === 'text' && parseUuid(batch.bytes, start, length, out, 4);
  if (!isUuidText) return writeBytes(out, 0, batch.bytes, start, length);
  return out.writeUInt32LE(16, 0) + 16;
}

function writeBytes(out: Buffer, at: number, bytes: Uint8Array, start: number, length: number): number {
  const next = out.writeUInt32LE(length, at);
  if (length === NULL_LENGTH) return next;
  out.set(bytes.subarray(start, start + length), next);
  return next + length;
}
