import { type EventBatch, MAX_VERSION, makeSpans, type Spans } from '../core/event-batch.ts';
import { readBase64 } from './base64.ts';
import { byteSource } from './byte-source.ts';
import { chunkDamage } from './chunk-damage.ts';
import { closingQuote, plainTextEnd, readJsonText } from './json-text.ts';
import { isJsonLine, jsonLineEnd } from './json-value.ts';
import { type JsonKey, LINE_KEYS, type TextKey } from './jsonl-keys.ts';
import { readRecordedAt } from './recorded-at.ts';
import {
  decodeRows,
  fieldBytes,
  makeRowDecoder,
  type RowDecoder,
  setNull,
  setSpan,
  setSpilled,
  setTimeText,
} from './row-decoder.ts';
import { isUtf8 } from './utf8.ts';

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const MAX_VERSION_DIGITS = 16;

/** Decodes JSON Lines chunks. Accepts exactly what the encoder writes; anything else throws `damaged`. */
export function makeJsonlDecoder(): (plain: Uint8Array) => EventBatch {
  const decoder = makeRowDecoder('jsonl');
  return (plain) => decodeRows(decoder, plain, readLine, true);
}

function readLine(decoder: RowDecoder, row: number): void {
  const { rows } = decoder;
  readText(decoder, rows.id, row, LINE_KEYS.id);
  readText(decoder, rows.stream, row, LINE_KEYS.stream);
  rows.versions[row] = readVersion(decoder);
  readText(decoder, rows.type, row, LINE_KEYS.type);
  readTime(decoder, row);
  readTimeText(decoder, row);
  readJson(decoder, rows.metadata, row, LINE_KEYS.metadata);
  readJson(decoder, rows.data, row, LINE_KEYS.data);
  expect(decoder, LINE_KEYS.end);
}

function readText(decoder: RowDecoder, spans: Spans, row: number, key: TextKey): void {
  if (accept(decoder, key.text)) readString(decoder, spans, row);
  else if (accept(decoder, key.base64)) readBase64String(decoder, spans, row);
  else throw missing(decoder, key.text);
}

function readString(decoder: RowDecoder, spans: Spans, row: number): void {
  const { source, spill, at } = decoder;
  const { bytes } = source;
  const end = plainTextEnd(bytes, at, bytes.length);
  if (bytes[end] === QUOTE) {
    setSpan(spans, row, at, end);
    decoder.at = end + 1;
    return;
  }
  const close = closingQuote(bytes, end, bytes.length);
  if (close === -1) throw chunkDamage('jsonl', 'a string without its end', at);
  const from = spill.at;
  if (!isUtf8(source, at, close) || !readJsonText(bytes, at, close, spill)) {
    throw chunkDamage('jsonl', 'a string that is not UTF-8 or not escaped as this format does it', at);
  }
  setSpilled(decoder, spans, row, from);
  decoder.at = close + 1;
}

function readBase64String(decoder: RowDecoder, spans: Spans, row: number): void {
  const { source, spill, at } = decoder;
  const close = closingQuote(source.bytes, at, source.bytes.length);
  const from = spill.at;
  if (close === -1 || !readBase64(source.bytes, at, close, spill)) {
    throw chunkDamage('jsonl', 'a string that is no base64', at);
  }
  if (isUtf8(byteSource(spill.bytes), from, spill.at)) throw chunkDamage('jsonl', 'base64 of UTF-8 text', at);
  setSpilled(decoder, spans, row, from);
  decoder.at = close + 1;
}

/** The shortest decimal form only: no leading zeros, no −0, no exponent. */
function readVersion(decoder: RowDecoder): number {
  expect(decoder, LINE_KEYS.version);
  const { bytes } = decoder.source;
  const start = decoder.at;
  const isNegative = bytes[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  let at = first;
  let value = 0;
  for (; at < first + MAX_VERSION_DIGITS && bytes[at]! >= ZERO && bytes[at]! <= NINE; at += 1) {
    value = value * 10 + (bytes[at]! - ZERO);
  }
  const hasZero = bytes[first] === ZERO && (at > first + 1 || isNegative);
  if (at === first || hasZero || value > MAX_VERSION) {
    throw chunkDamage('jsonl', 'a version that is no integer in ±(2^53 − 1)', start);
  }
  decoder.at = at;
  return isNegative ? -value : value;
}

function readTime(decoder: RowDecoder, row: number): void {
  expect(decoder, LINE_KEYS.recordedAt);
  const { source, at, days, rows, timeWords } = decoder;
  const { bytes } = source;
  const close = plainTextEnd(bytes, at, bytes.length);
  if (bytes[close] !== QUOTE || !readRecordedAt(bytes, at, close - at, days, rows.times, timeWords, row)) {
    throw chunkDamage('jsonl', 'a time that is not written as this format does it', at);
  }
  decoder.at = close + 1;
}

function readTimeText(decoder: RowDecoder, row: number): void {
  const key = LINE_KEYS.recordedAtText;
  if (accept(decoder, key.text)) readString(decoder, timeTextSpan, 0);
  else if (accept(decoder, key.base64)) readBase64String(decoder, timeTextSpan, 0);
  else return;
  setTimeText(decoder, row, timeTextSpan);
}

const timeTextSpan = makeSpans(1);

/** The store's JSON as it is, or in a string where a line cannot hold it; no key at all for SQL NULL. */
function readJson(decoder: RowDecoder, spans: Spans, row: number, key: JsonKey): void {
  const { bytes } = decoder.source;
  if (accept(decoder, key.json)) {
    const end = jsonLineEnd(bytes, decoder.at, bytes.length);
    if (end === -1) throw chunkDamage('jsonl', 'invalid JSON', decoder.at);
    setSpan(spans, row, decoder.at, end);
    decoder.at = end;
  } else if (accept(decoder, key.text)) {
    readString(decoder, spans, row);
    refuseJsonAsText(decoder, spans, row);
    decoder.jsonIsCompact = false;
  } else if (accept(decoder, key.base64)) {
    readBase64String(decoder, spans, row);
    decoder.jsonIsCompact = false;
  } else setNull(spans, row);
}

function refuseJsonAsText(decoder: RowDecoder, spans: Spans, row: number): void {
  const { bytes, start } = fieldBytes(decoder, spans, row);
  if (isJsonLine(bytes, start, start + spans.lengths[row]!)) {
    throw chunkDamage('jsonl', 'JSON in a string that would fit the line as it is', decoder.at);
  }
}

/** Steps over the key when it is what comes next. */
function accept(decoder: RowDecoder, key: Buffer): boolean {
  const { at } = decoder;
  const { bytes } = decoder.source;
  for (let i = 0; i < key.length; i += 1) if (bytes[at + i] !== key[i]) return false;
  decoder.at = at + key.length;
  return true;
}

function expect(decoder: RowDecoder, key: Buffer): void {
  if (!accept(decoder, key)) throw missing(decoder, key);
}

function missing(decoder: RowDecoder, key: Buffer): Error {
  return chunkDamage('jsonl', `no ${key.toString('latin1').trim()}`, decoder.at);
}
