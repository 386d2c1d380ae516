import crypto from 'node:crypto';
import type { FeedSource, Horizon } from '../core/change-feed.ts';
import { BackupError } from '../core/errors.ts';
import { CHUNK_FORMATS, type ChunkFormat, COMPRESSIONS, type Compression } from '../core/manifest.ts';
import { formatTime, parseTime } from '../core/time.ts';
import type { ChunkEvents } from './chunk-index.ts';
import { isTooDeep } from './json-depth.ts';
import { parsePosition, positionText } from './log-name.ts';
import { isSignature, type Signature } from './signature.ts';

/** What a block of the change log says of itself (FORMAT.md §11.3 is normative). Times are microseconds since 2000. */
export interface BlockHeader {
  /** SHA-256 (hex) of the header before it in the log; null for the first after the log's begin or a gap. */
  readonly previous: string | null;
  readonly source: FeedSource;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  /** With the blocks before, this is all that was committed before this position; null while a transaction is open. */
  readonly to: bigint | null;
  readonly asOf: bigint;
  readonly horizon: Horizon | null;
  readonly transactions: number;
  readonly isContinued: boolean;
  readonly isOpen: boolean;
  /** These four are null when there is no transaction. */
  readonly firstCommit: bigint | null;
  readonly lastCommit: bigint | null;
  readonly earliest: bigint | null;
  readonly latest: bigint | null;
  readonly parts: readonly BlockPart[];
  /** Null or absent: not sealed. */
  readonly sealing?: BlockSealing | null;
  readonly signature?: Signature;
}

/** What a block is sealed with (FORMAT.md §11.10). */
export interface BlockSealing {
  readonly cipher: 'AES-256-GCM';
  /** Names the key in the key records of the log's folder. */
  readonly keyId: string;
  /** Names the key of `lastEvent`; null without one. */
  readonly memoryKeyId: string | null;
  /** The id of the last event, sealed for the host that wrote it; null without events or that key. Base64. */
  readonly lastEvent: string | null;
}

/** `index`: what a chunk table says of the events, where the block is sealed. */
export type BlockRole = 'events' | 'index' | 'transactions' | 'removals';

export interface BlockPart {
  readonly role: BlockRole;
  readonly storedBytes: number;
  readonly plainBytes: number;
  /** SHA-256 (hex) of the stored bytes. */
  readonly sha256: string;
  readonly records: number;
  /** Only of the part with events, and only where the block is not sealed. */
  readonly events?: ChunkEvents;
}

/** Blocks that are neither sealed nor signed have the first version. */
const PLAIN_VERSION = 1;
const SEALED_VERSION = 2;
const MAGIC = Buffer.from('ECL1');
/** Magic, length of the header, SHA-256 of the header. */
export const PREFIX_BYTES = 40;
/** The longest part of a header is the stream filter: this is room for ten million streams. */
const MAX_HEADER_BYTES = 32 << 20;

/** A block up to its parts, and the digest that the next block names it by. */
export function encodeHeader(header: BlockHeader): { bytes: Uint8Array; digest: string } {
  const text = Buffer.from(headerText(header));
  const digest = crypto.hash('sha256', text, 'hex');
  const prefix = Buffer.alloc(PREFIX_BYTES);
  MAGIC.copy(prefix);
  prefix.writeUInt32LE(text.length, MAGIC.length);
  prefix.write(digest, MAGIC.length + 4, 'hex');
  return { bytes: Buffer.concat([prefix, text]), digest };
}

function headerText(header: BlockHeader): string {
  const { sealing, signature } = header;
  const version = versionOf(header);
  const fields = headerFields(header, version, partFields);
  if (version === PLAIN_VERSION) return JSON.stringify(fields);
  const signed = signature === undefined ? {} : { signature };
  return JSON.stringify({ ...fields, sealing: sealing ?? null, ...signed });
}

/** What a signature of a block is over: the header without it. */
export function signedText({ signature: _, ...header }: BlockHeader): string {
  const fields = headerFields(header, SEALED_VERSION, partFields);
  return `eventcore block 1\n${JSON.stringify({ ...fields, sealing: header.sealing ?? null })}`;
}

/**
 * Names all that a header says but what follows from the sealed bytes: with it, a block's pieces are bound to their place. So
 * no header goes with the parts of another.
 */
export function boundDigest(header: BlockHeader): string {
  const fields = headerFields(header, SEALED_VERSION, ({ role, storedBytes, plainBytes, records }) => {
    return { role, storedBytes, plainBytes, records };
  });
  const { cipher, keyId, memoryKeyId } = header.sealing!;
  const text = JSON.stringify({ ...fields, sealing: { cipher, keyId, memoryKeyId } });
  return crypto.hash('sha256', text, 'hex');
}

function versionOf({ sealing, signature }: BlockHeader): number {
  return sealing == null && signature === undefined ? PLAIN_VERSION : SEALED_VERSION;
}

function headerFields(
  header: BlockHeader,
  blockVersion: number,
  fieldsOf: (part: BlockPart) => object,
): object {
  const { source, horizon } = header;
  return {
    blockVersion,
    previous: header.previous,
    source: {
      kind: source.kind,
      systemIdentifier: source.systemIdentifier,
      timeline: source.timeline,
      database: source.database,
      relation: source.relation,
    },
    format: header.format,
    compression: header.compression,
    to: orNull(header.to, positionText),
    asOf: formatTime(header.asOf),
    horizon: horizon && { position: positionText(horizon.position), xid: String(horizon.xid) },
    transactions: header.transactions,
    isContinued: header.isContinued,
    isOpen: header.isOpen,
    firstCommit: orNull(header.firstCommit, positionText),
    lastCommit: orNull(header.lastCommit, positionText),
    earliest: orNull(header.earliest, formatTime),
    latest: orNull(header.latest, formatTime),
    parts: header.parts.map(fieldsOf),
  };
}

function partFields({ role, storedBytes, plainBytes, sha256, records, events }: BlockPart): object {
  return { role, storedBytes, plainBytes, sha256, records, ...(events === undefined ? {} : { events }) };
}

function orNull(value: bigint | null, write: (value: bigint) => string): string | null {
  return value === null ? null : write(value);
}

/** Length of a header, and the digest that it must have, from the first `PREFIX_BYTES` of a block. Throws `damaged`. */
export function decodePrefix(bytes: Uint8Array): { headerBytes: number; digest: string } {
  const prefix = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (prefix.length < PREFIX_BYTES || prefix.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) {
    throw new BackupError('damaged', 'no block of a log begins here');
  }
  const headerBytes = prefix.readUInt32LE(MAGIC.length);
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new BackupError('damaged', `a block announces a header of ${headerBytes} bytes`);
  }
  return { headerBytes, digest: prefix.toString('hex', MAGIC.length + 4, PREFIX_BYTES) };
}

/** Reads a header and proves that it is the one that its digest names. Throws `damaged`, or `store_unsupported` for a later version. */
export function decodeHeader(bytes: Uint8Array, digest: string): BlockHeader {
  if (crypto.hash('sha256', bytes, 'hex') !== digest) throw broken('it does not have its digest');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new BackupError('damaged', 'the header of a block is damaged: it is no JSON', { cause });
  }
  if (typeof value !== 'object' || value === null) throw broken('it is no object');
  if (isTooDeep(value)) throw broken('it is nested too deep');
  if (value.blockVersion !== PLAIN_VERSION && value.blockVersion !== SEALED_VERSION) {
    throw new BackupError(
      'store_unsupported',
      `a block of the log has version ${JSON.stringify(value.blockVersion)}`,
      {
        hint: `this program reads versions ${PLAIN_VERSION} and ${SEALED_VERSION}; use a newer one`,
      },
    );
  }
  const header = shapeHeader(value);
  if (header === null || !Buffer.from(headerText(header)).equals(bytes))
    throw broken('it is not in its written form');
  const reason = contradiction(header);
  if (reason !== null) throw broken(reason);
  return header;
}

function broken(reason: string): BackupError {
  return new BackupError('damaged', `the header of a block is damaged: ${reason}`);
}

/** Whatever these readers take for another value shows when the header is written again. */
function shapeHeader(value: Record<string, unknown>): BlockHeader | null {
  const { previous, source, format, compression, parts, sealing, signature } = value;
  const asOf = readTime(value.asOf);
  const isDigest = previous === null || (typeof previous === 'string' && /^[0-9a-f]{64}$/.test(previous));
  if (!isDigest || !isSource(source) || asOf === null || !isCount(value.transactions)) return null;
  if (!CHUNK_FORMATS.includes(format as ChunkFormat)) return null;
  if (!COMPRESSIONS.includes(compression as Compression)) return null;
  if (typeof value.isContinued !== 'boolean' || typeof value.isOpen !== 'boolean') return null;
  if (value.blockVersion === SEALED_VERSION && !isSealing(sealing)) return null;
  const isSealed = isRecord(sealing);
  if (!Array.isArray(parts) || !parts.every((part) => isPart(part, isSealed))) return null;
  if (signature !== undefined && !isSignature(signature)) return null;
  return {
    ...{ previous: previous as string | null, source, asOf, parts },
    ...{ format: format as ChunkFormat, compression: compression as Compression },
    to: parsePosition(value.to),
    horizon: readHorizon(value.horizon),
    ...{ transactions: value.transactions, isContinued: value.isContinued, isOpen: value.isOpen },
    ...{ firstCommit: parsePosition(value.firstCommit), lastCommit: parsePosition(value.lastCommit) },
    ...{ earliest: readTime(value.earliest), latest: readTime(value.latest) },
    ...(value.blockVersion === SEALED_VERSION ? { sealing: sealing as BlockSealing | null } : {}),
    ...(signature === undefined ? {} : { signature }),
  };
}

function readTime(text: unknown): bigint | null {
  return typeof text === 'string' ? parseTime(text) : null;
}

function readHorizon(value: unknown): Horizon | null {
  if (!isRecord(value)) return null;
  const position = parsePosition(value.position);
  const isXid = typeof value.xid === 'string' && /^\d{1,20}$/.test(value.xid);
  return position === null || !isXid ? null : { position, xid: BigInt(value.xid as string) };
}

function isSource(value: unknown): value is FeedSource {
  if (!isRecord(value) || !isCount(value.timeline)) return false;
  const texts = [value.systemIdentifier, value.database, value.relation];
  return texts.every((text) => typeof text === 'string') && KINDS.includes(value.kind as FeedSource['kind']);
}

const KINDS: readonly FeedSource['kind'][] = ['sqlite', 'postgres', 'memory'];

/** An algorithm or a field that is not known is never passed over. */
function isSealing(value: unknown): value is BlockSealing | null {
  if (value === null) return true;
  if (!isRecord(value) || value.cipher !== 'AES-256-GCM') return false;
  const { keyId, memoryKeyId, lastEvent } = value;
  const isId = (id: unknown): boolean => typeof id === 'string' && /^[0-9a-f]{32}$/.test(id);
  return (
    Object.keys(value).join() === 'cipher,keyId,memoryKeyId,lastEvent' &&
    isId(keyId) &&
    (memoryKeyId === null || isId(memoryKeyId)) &&
    (lastEvent === null || (typeof lastEvent === 'string' && lastEvent.length <= MAX_LAST_EVENT))
  );
}

const MAX_LAST_EVENT = 1 << 20;

function isPart(value: unknown, isSealed: boolean): value is BlockPart {
  if (!isRecord(value) || !ROLES.includes(value.role as BlockRole)) return false;
  const hasEvents = isRecord(value.events) && typeof value.events.filter === 'string';
  return (
    [value.storedBytes, value.plainBytes, value.records].every(isCount) &&
    typeof value.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(value.sha256) &&
    (value.role !== 'index' || isSealed) &&
    (value.role === 'events' && !isSealed ? hasEvents : value.events === undefined)
  );
}

/** The order of the parts in a block. */
const ROLES: readonly BlockRole[] = ['events', 'index', 'transactions', 'removals'];

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Why the header cannot be true, or null. */
function contradiction(header: BlockHeader): string | null {
  const { parts, transactions, firstCommit, lastCommit, earliest, latest, to } = header;
  const places = parts.map(({ role }) => ROLES.indexOf(role));
  if (places.some((place, i) => i > 0 && place <= places[i - 1]!)) return 'its parts are out of order';
  const table = parts.find(({ role }) => role === 'transactions');
  if (table === undefined || table.records !== transactions) return 'its transactions are not all there';
  if (parts.some(({ role, records }) => role !== 'transactions' && records === 0)) return 'a part is empty';
  if (header.sealing != null && partOf(header, 'events') !== null && partOf(header, 'index') === null) {
    return 'what it says of its events is missing';
  }
  const isNone = [firstCommit, lastCommit, earliest, latest].map((value) => value === null);
  if (isNone.some((none) => none !== (transactions === 0))) return 'its transactions have no bounds';
  if (transactions === 0 && (header.isOpen || header.isContinued)) return 'no transaction goes on in it';
  if ((to === null) !== header.isOpen) return 'its end and its open transaction disagree';
  if (lastCommit === null) return null;
  if (firstCommit! > lastCommit || earliest! > latest!) return 'the bounds of its transactions are reversed';
  return to !== null && lastCommit >= to ? 'it ends before its last transaction' : null;
}

export function partOf(header: BlockHeader, role: BlockRole): BlockPart | null {
  return header.parts.find((part) => part.role === role) ?? null;
}
