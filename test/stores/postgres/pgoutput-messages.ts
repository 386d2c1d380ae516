/** What a server sends for START_REPLICATION with pgoutput, written by hand from PostgreSQL's manual. */
import { parseUuid } from '../../../src/core/uuid-text.ts';
import { completeEvent, type TestEvent } from '../../../src/testing/batches.ts';

export const RELATION = 16_385;

export type Change =
  | { readonly kind: 'insert'; readonly event: TestEvent }
  | { readonly kind: 'update'; readonly event: TestEvent; readonly oldId: string | null }
  | { readonly kind: 'delete'; readonly id: string }
  | { readonly kind: 'truncate' }
  | { readonly kind: 'elsewhere' };

export interface Transaction {
  readonly xid: number;
  readonly commit: bigint;
  readonly time: bigint;
  readonly changes: readonly Change[];
}

export const COLUMNS: readonly (readonly [string, number])[] = [
  ['event_id', 2950],
  ['stream_id', 25],
  ['stream_version', 20],
  ['event_type', 25],
  ['event_data', 3802],
  ['metadata', 3802],
  ['created_at', 1184],
];

export function message(type: string, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(type, 'latin1'), u32(content.length + 4), content]);
}

export function xlog(content: Uint8Array): Buffer {
  return message('d', Buffer.concat([Buffer.from('w'), Buffer.alloc(24), content]));
}

export function keepalive(walEnd: bigint, isReplyWanted = false): Buffer {
  return message(
    'd',
    Buffer.concat([Buffer.from('k'), u64(walEnd), u64(0n), Buffer.from([isReplyWanted ? 1 : 0])]),
  );
}

export function relation(columns: readonly (readonly [string, number])[] = COLUMNS, oid = RELATION): Buffer {
  const described = columns.map(([name, type]) =>
    Buffer.concat([Buffer.from([0]), text(name), u32(type), u32(0xffff_ffff)]),
  );
  const head = [Buffer.from('R'), u32(oid), text('public'), text('eventcore_events'), Buffer.from('d')];
  return xlog(Buffer.concat([...head, u16(columns.length), ...described]));
}

export function begin({ xid, commit, time }: Omit<Transaction, 'changes'>): Buffer {
  return xlog(Buffer.concat([Buffer.from('B'), u64(commit), u64(time), u32(xid)]));
}

/** Commit records are 40 bytes here. */
export function commit({ commit: position, time }: Omit<Transaction, 'changes'>): Buffer {
  return xlog(Buffer.concat([Buffer.from('C\0'), u64(position), u64(position + 40n), u64(time)]));
}

export function transaction(all: Transaction): Buffer {
  return Buffer.concat([begin(all), ...all.changes.map(change), commit(all)]);
}

export function change(what: Change): Buffer {
  switch (what.kind) {
    case 'insert':
      return xlog(Buffer.concat([Buffer.from('I'), u32(RELATION), Buffer.from('N'), tuple(what.event)]));
    case 'update': {
      const old = what.oldId === null ? [] : [Buffer.from('K'), keyTuple(what.oldId)];
      return xlog(
        Buffer.concat([Buffer.from('U'), u32(RELATION), ...old, Buffer.from('N'), tuple(what.event)]),
      );
    }
    case 'delete':
      return xlog(Buffer.concat([Buffer.from('D'), u32(RELATION), Buffer.from('K'), keyTuple(what.id)]));
    case 'truncate':
      return xlog(Buffer.concat([Buffer.from('T'), u32(2), Buffer.from([0]), u32(7), u32(RELATION)]));
    case 'elsewhere':
      return xlog(Buffer.concat([Buffer.from('I'), u32(7), Buffer.from('N'), Buffer.from([0, 1, 0x6e])]));
  }
}

export function tuple(event: TestEvent, unchanged: readonly number[] = []): Buffer {
  const { id, streamId, version, type, data, metadata, time } = completeEvent(event, 0);
  const json = (value: unknown): Buffer | null =>
    value === null ? null : Buffer.from(`\u0001${String(value)}`);
  const fields = [uuid(String(id)), Buffer.from(String(streamId)), u64(BigInt(version))].concat(
    Buffer.from(String(type)),
  );
  return fieldList([...fields, json(data), json(metadata), u64(time)], unchanged);
}

export function keyTuple(id: string): Buffer {
  return fieldList([uuid(id), null, null, null, null, null, null]);
}

function fieldList(fields: readonly (Buffer | null)[], unchanged: readonly number[] = []): Buffer {
  const parts = fields.map((field, i) => {
    if (unchanged.includes(i)) return Buffer.from('u');
    return field === null ? Buffer.from('n') : Buffer.concat([Buffer.from('b'), u32(field.length), field]);
  });
  return Buffer.concat([u16(fields.length), ...parts]);
}

function uuid(id: string): Buffer {
  const bytes = Buffer.alloc(16);
  const source = Buffer.from(id);
  if (!parseUuid(source, 0, source.length, bytes, 0)) throw new Error(id);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  return bytes;
}
