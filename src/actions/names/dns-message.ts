import { BackupError } from '../../core/errors.ts';

/** Messages of DNS as RFC 1035 has them, as far as an update and a question about one record need them. */
export interface DnsMessage {
  readonly id: number;
  /** Everything between the id and the counts. */
  readonly flags: number;
  readonly questions: readonly DnsQuestion[];
  /** In an update: prerequisites. */
  readonly answers: readonly DnsRecord[];
  /** In an update: what is changed. */
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

export interface DnsQuestion {
  /** As text in lower case, without the last dot; what is no letter, digit, dash or underscore is escaped. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface DnsRecord extends DnsQuestion {
  readonly ttl: number;
  /** Names in it are written out: that of a CNAME never leads elsewhere. */
  readonly data: Buffer;
}

export interface DecodedMessage extends DnsMessage {
  /** Where the last record begins: a signature is over what stands before it. */
  readonly lastRecordAt: number;
}

export const DNS_TYPE = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, TSIG: 250, ANY: 255 } as const;
export const DNS_CLASS = { IN: 1, NONE: 254, ANY: 255 } as const;
export const DNS_FLAG = { response: 0x8000, authoritative: 0x0400, truncated: 0x0200 } as const;
export const OPCODE = { query: 0, update: 5 } as const;

export const opcodeOf = (flags: number): number => (flags >> 11) & 15;
export const rcodeOf = (flags: number): number => flags & 15;

const MOST_NAME_BYTES = 255;
const MOST_LABEL_BYTES = 63;

export function encodeMessage(message: DnsMessage): Buffer {
  const { questions, answers, authorities, additionals } = message;
  const head = Buffer.alloc(12);
  const counts = [questions, answers, authorities, additionals].map(({ length }) => length);
  for (const [i, word] of [message.id, message.flags, ...counts].entries()) head.writeUInt16BE(word, i * 2);
  const records = [...answers, ...authorities, ...additionals];
  return Buffer.concat([head, ...questions.map(encodeQuestion), ...records.map(encodeRecord)]);
}

function encodeQuestion({ name, type, class: of }: DnsQuestion): Buffer {
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(type, 0);
  tail.writeUInt16BE(of, 2);
  return Buffer.concat([encodeName(name), tail]);
}

function encodeRecord(record: DnsRecord): Buffer {
  const tail = Buffer.alloc(6);
  tail.writeUInt32BE(record.ttl, 0);
  tail.writeUInt16BE(record.data.length, 4);
  return Buffer.concat([encodeQuestion(record), tail, record.data]);
}

/** A name as it goes over the wire, never shortened. Throws `config_invalid` for what is none. */
export function encodeName(text: string): Buffer {
  const parts: Buffer[] = [];
  for (const label of text === '' ? [] : splitName(text)) {
    if (label.length === 0 || label.length > MOST_LABEL_BYTES) throw badName(text);
    parts.push(Buffer.of(label.length), label);
  }
  const bytes = Buffer.concat([...parts, Buffer.of(0)]);
  if (bytes.length > MOST_NAME_BYTES) throw badName(text);
  return bytes;
}

function badName(text: string): BackupError {
  return new BackupError('config_invalid', `${JSON.stringify(text.slice(0, 300))} is no name of DNS`, {
    hint: 'a name has parts of 1 to 63 characters, 253 in all, with dots between them',
  });
}

const ESCAPED = /\\(\d{3}|[\s\S])|\./g;

function splitName(text: string): Buffer[] {
  const labels: string[] = [''];
  let from = 0;
  const add = (part: string) => labels.push(labels.pop()! + part);
  for (const { 0: found, 1: escaped, index } of text.matchAll(ESCAPED)) {
    add(text.slice(from, index));
    from = index + found.length;
    if (escaped === undefined) labels.push('');
    else if (escaped.length === 1) add(escaped);
    else if (Number(escaped) > 255) throw badName(text);
    else add(String.fromCharCode(Number(escaped)));
  }
  add(text.slice(from));
  if (labels.length > 1 && labels.at(-1) === '') labels.pop();
  if (labels.some((label) => /[^\0-\xff]/.test(label))) throw badName(text);
  return labels.map((label) =>
    Buffer.from(
      label.replaceAll(/[A-Z]/g, (c) => c.toLowerCase()),
      'latin1',
    ),
  );
}

/**
 * What a server answered. Whatever the bytes are, it ends soon: names lead only backwards. Throws `name_refused` for what is no
 * message, also where bytes are left over.
 */
export function decodeMessage(bytes: Buffer): DecodedMessage {
  if (bytes.length < 12) throw notDns('it ends in its head');
  const cursor: Cursor = { bytes, at: 12 };
  const count = (i: number): number => bytes.readUInt16BE(4 + i * 2);
  const questions = Array.from({ length: Math.min(count(0), bytes.length) }, () => decodeQuestion(cursor));
  let lastRecordAt = cursor.at;
  const section = (i: number): DnsRecord[] => {
    const records: DnsRecord[] = [];
    for (let left = count(i); left > 0; left -= 1) {
      lastRecordAt = cursor.at;
      records.push(decodeRecord(cursor));
    }
    return records;
  };
  const [answers, authorities, additionals] = [section(1), section(2), section(3)];
  if (cursor.at !== bytes.length) throw notDns('it is longer than it says');
  const [id, flags] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
  return { id, flags, questions, answers, authorities, additionals, lastRecordAt };
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function notDns(reason: string): BackupError {
  return new BackupError('name_refused', `what the name server answered is no message of DNS: ${reason}`, {
    hint: 'check that the address and port are those of the primary server of the zone, and nothing stands in between',
  });
}

function take(cursor: Cursor, length: number): Buffer {
  const { bytes, at } = cursor;
  if (at + length > bytes.length) throw notDns('it ends too soon');
  cursor.at += length;
  return bytes.subarray(at, at + length);
}

function decodeQuestion(cursor: Cursor): DnsQuestion {
  const name = decodeName(cursor);
  const tail = take(cursor, 4);
  return { name, type: tail.readUInt16BE(0), class: tail.readUInt16BE(2) };
}

function decodeRecord(cursor: Cursor): DnsRecord {
  const question = decodeQuestion(cursor);
  const head = take(cursor, 6);
  const start = cursor.at;
  const data = take(cursor, head.readUInt16BE(4));
  const record = { ...question, ttl: head.readUInt32BE(0), data };
  if (question.type !== DNS_TYPE.CNAME || data.length === 0) return record;
  const inside: Cursor = { bytes: cursor.bytes, at: start };
  const target = decodeName(inside);
  if (inside.at !== cursor.at) throw notDns('a name in it has another length than is said');
  return { ...record, data: encodeName(target) };
}

/** The name of a CNAME's data. */
export function decodeTarget(data: Buffer): string {
  return decodeName({ bytes: data, at: 0 });
}

export function decodeName(cursor: Cursor): string {
  const { bytes } = cursor;
  const labels: string[] = [];
  let [at, floor, end, length] = [cursor.at, cursor.at, -1, 1];
  for (;;) {
    const size = bytes[at];
    if (size === undefined) throw notDns('a name in it has no end');
    if (size === 0) break;
    if (size >= 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) throw notDns('a name in it has no end');
      if (end === -1) end = at + 2;
      at = ((size & 0x3f) << 8) | low;
      if (at >= floor) throw notDns('a name in it leads to itself');
      floor = at;
      continue;
    }
    length += size + 1;
    const isWhole = at + 1 + size <= bytes.length;
    if (size > MOST_LABEL_BYTES || length > MOST_NAME_BYTES || !isWhole)
      throw notDns('a name in it is too long');
    labels.push(labelText(bytes.subarray(at + 1, at + 1 + size)));
    at += size + 1;
  }
  cursor.at = end === -1 ? at + 1 : end;
  return labels.join('.');
}

function labelText(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[A-Z]/g, (c) => c.toLowerCase())
    .replaceAll(/[^a-z0-9_-]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`);
}
