import { type EventBatch, NULL_LENGTH, type Spans } from '../core/event-batch.ts';
import { writeBase64 } from './base64.ts';
import { type ByteSource, byteSource } from './byte-source.ts';
import {
  type ByteWriter,
  clearWriter,
  copySpan,
  makeByteWriter,
  reserve,
  writeLiteral,
  writtenBytes,
} from './byte-writer.ts';
import { writeInteger } from './decimal-text.ts';
import { writeJsonText, writePlainText } from './json-text.ts';
import { isJsonLine } from './json-value.ts';
import { type JsonKey, LINE_KEYS, LONGEST_KEY_BYTES, type TextKey } from './jsonl-keys.ts';
import { type DayCache, makeDayCache, writeRecordedAt } from './recorded-at.ts';
import { timeWords } from './time-words.ts';
import { isUtf8 } from './utf8.ts';
import { UUID_TEXT_BYTES, writeUuid } from './uuid-text.ts';

const QUOTE = 0x22;
const LONGEST_VERSION_BYTES = 20;
/** What a line adds to an event's own bytes, mostly. */
const USUAL_ROW_BYTES = 192;

/**
 * Encodes batches as JSON Lines (FORMAT.md): one event a line, keys in a fixed order, no white space of our own.
 * The store's JSON goes into the line byte for byte.
 */
export function makeJsonlEncoder(): (batch: EventBatch) => Uint8Array {
  const out = makeByteWriter();
  const days = makeDayCache();
  return (batch) => {
    clearWriter(out, batch.bytes.length + batch.count * USUAL_ROW_BYTES);
    const source = byteSource(batch.bytes);
    const words = timeWords(batch.times);
    for (let row = 0; row < batch.count; row += 1) writeLine(out, days, source, batch, words, row);
    return writtenBytes(out);
  };
}

function writeLine(
  out: ByteWriter,
  days: DayCache,
  source: ByteSource,
  batch: EventBatch,
  words: Int32Array,
  row: number,
): void {
  writeId(out, source, batch, row);
  writeText(out, source, batch.stream, row, LINE_KEYS.stream);
  writeVersion(out, batch.versions[row]!);
  writeText(out, source, batch.type, row, LINE_KEYS.type);
  reserve(out, LONGEST_KEY_BYTES);
  writeLiteral(out, LINE_KEYS.recordedAt);
  writeRecordedAt(out, days, batch.times, words, row);
  writeQuote(out);
  if (batch.timeTexts !== null) writeTimeText(out, batch.timeTexts.get(row));
  writeJson(out, source, batch.metadata, row, LINE_KEYS.metadata, batch.jsonIsCompact);
  writeJson(out, source, batch.data, row, LINE_KEYS.data, batch.jsonIsCompact);
  reserve(out, LONGEST_KEY_BYTES);
  writeLiteral(out, LINE_KEYS.end);
}

function writeQuote(out: ByteWriter): void {
  reserve(out, 1);
  out.bytes[out.at] = QUOTE;
  out.at += 1;
}

function writeId(out: ByteWriter, source: ByteSource, batch: EventBatch, row: number): void {
  if (batch.idKind === 'text') {
    writeText(out, source, batch.id, row, LINE_KEYS.id);
    return;
  }
  reserve(out, LONGEST_KEY_BYTES + UUID_TEXT_BYTES);
  writeLiteral(out, LINE_KEYS.id.text);
  writeUuid(out, source.bytes, batch.id.starts[row]!);
  writeQuote(out);
}

function writeText(out: ByteWriter, source: ByteSource, spans: Spans, row: number, key: TextKey): void {
  const start = spans.starts[row]!;
  writeString(out, source, start, start + spans.lengths[row]!, key);
}

function writeString(out: ByteWriter, source: ByteSource, start: number, end: number, key: TextKey): void {
  reserve(out, LONGEST_KEY_BYTES + end - start);
  const { at } = out;
  writeLiteral(out, key.text);
  if (!writePlainText(out, source.bytes, start, end)) {
    out.at = at;
    writeUnusualString(out, source, start, end, key);
  }
  writeQuote(out);
}

function writeUnusualString(
  out: ByteWriter,
  source: ByteSource,
  start: number,
  end: number,
  key: TextKey,
): void {
  const isText = isUtf8(source, start, end);
  writeLiteral(out, isText ? key.text : key.base64);
  if (isText) writeJsonText(out, source.bytes, start, end);
  else writeBase64(out, source.bytes, start, end);
}

function writeVersion(out: ByteWriter, version: number): void {
  reserve(out, LONGEST_KEY_BYTES + LONGEST_VERSION_BYTES);
  writeLiteral(out, LINE_KEYS.version);
  writeInteger(out, version);
}

function writeTimeText(out: ByteWriter, text: Uint8Array | undefined): void {
  if (text !== undefined) writeString(out, byteSource(text), 0, text.length, LINE_KEYS.recordedAtText);
}

/** A key with the store's JSON as it is, or as a string where a line cannot hold it; nothing for SQL NULL. */
function writeJson(
  out: ByteWriter,
  source: ByteSource,
  spans: Spans,
  row: number,
  key: JsonKey,
  isCompact: boolean,
): void {
  const length = spans.lengths[row]!;
  if (length === NULL_LENGTH) return;
  const start = spans.starts[row]!;
  const end = start + length;
  const fitsLine = isCompact ? isUtf8(source, start, end) : isJsonLine(source.bytes, start, end);
  if (!fitsLine) {
    writeString(out, source, start, end, key);
    return;
  }
  reserve(out, LONGEST_KEY_BYTES + length);
  writeLiteral(out, key.json);
  copySpan(out, source.bytes, start, length);
}
