import type { Removal, TransactionTable } from '../core/change-feed.ts';
import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { idText } from '../core/event-id.ts';
import type { Signer } from '../core/key-ring.ts';
import { judgeSignature, type SignatureFinding, type TrustPolicy, whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { missingPart, SEE_ALL } from './data-file-reader.ts';
import { gapBehind, type LogFile, type LogKeys, type LogTimeline, readLogCatalog } from './log-catalog.ts';
import {
  type BlockHeader,
  type BlockRole,
  decodeHeader,
  decodePrefix,
  PREFIX_BYTES,
  partOf,
  signedText,
} from './log-header.ts';
import { logScope, positionText } from './log-name.ts';
import {
  type CheckedEvents,
  checkEvents,
  type Lent,
  openLastEvent,
  readEvents,
  readPart,
  readRemovals,
  readStored,
  readTransactions,
  type Source,
  takeBack,
} from './log-parts.ts';
import { importSealKey, type Seal, sealKeyId } from './seal.ts';
import { isSignedBy } from './signature.ts';

/** A block whose header was read; its parts are fetched, and checked, when they are asked for. */
export interface LogBlock {
  readonly header: BlockHeader;
  readonly digest: string;
  readonly file: LogFile;
  /** Place in the file, from 0. */
  readonly number: number;
  /** With its successors up to the next end, it holds what commits from here on. */
  readonly from: bigint;
  transactions(): Promise<TransactionTable>;
  /** Borrowed until the next batch of this reader; null when the block has no events. */
  events(): Promise<EventBatch | null>;
  /** As `events`, for who only wants to know that they are sound. */
  checkEvents(): Promise<CheckedEvents | null>;
  removals(): Promise<Removal[]>;
  /** What the block says of its events, the fields of a chunk table as JSON; null when it has none. */
  describedEvents(): Promise<string | null>;
  /** Null when it has no events. Of what is sealed it is known to the host that wrote it, by its signing key. */
  lastEventId(signer: Signer | null): Promise<string | null>;
  /** Fetches all parts and checks their digests, without a look at what is in them. */
  checkDigests(): Promise<void>;
}

export interface LogReadOptions {
  /** Blocks that end at this position or before are not given. */
  readonly from?: bigint;
  /** Fetched at a time, where the parts are not larger: much for who reads all of it, little for who looks for something. */
  readonly windowBytes?: number;
  /** Without them headers and digests can be read of what is sealed, and no more. */
  readonly keys?: LogKeys | undefined;
  /** Blocks whose signatures it does not take throw `signature_invalid`; left out: no signature is looked at. */
  readonly trust?: TrustPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
}

const WINDOW_BYTES = 64 << 10;

/** To read a log with what is there to open and to judge it. */
export function readingOf({ keys }: Pick<LogTimeline, 'keys'>): Pick<LogReadOptions, 'keys' | 'trust'> {
  return { keys, trust: keys?.trust };
}

/**
 * The blocks of neighbouring files in order. Throws `damaged` where a digest, the chain of `previous` or the order of
 * positions is broken, `log_gap` where one file does not begin at the end of the one before, `signature_invalid`; contents throw
 * `key_missing` or `key_wrong` where they are sealed and do not open. Files that a compaction has joined
 * since they were listed are read on in the joined one.
 */
export async function* readLogBlocks(
  vault: Vault,
  files: readonly LogFile[],
  options: LogReadOptions = {},
): AsyncGenerator<LogBlock> {
  const lent: Lent = { codecs: new Map(), plain: null };
  const { from } = options;
  let before: LogFile | null = null;
  // What is before the first block that is read is not known.
  let previous: string | null = null;
  try {
    for (const file of files) {
      if (before !== null && before.to !== file.from) throw gapBetween(before, file);
      before = file;
      if (from !== undefined && file.to <= from) continue;
      for await (const block of readFile(vault, file, lent, options)) {
        if (previous !== null && block.header.previous !== previous) {
          throw damagedBlock(file, block.number, 'it does not follow the block before it');
        }
        previous = block.digest;
        if (options.trust !== undefined) requireTrust(block, options.trust);
        if (isWanted(block.header, from)) yield block;
      }
    }
  } finally {
    takeBack(lent);
  }
}

/** What the signature of a block says. */
export function findBlockSignature(header: BlockHeader, trust: TrustPolicy): SignatureFinding {
  const { signature } = header;
  return judgeSignature(
    signature,
    signature !== undefined && isSignedBy(signature, signedText(header)),
    trust,
  );
}

function requireTrust({ header, file, number }: LogBlock, trust: TrustPolicy): void {
  const reason = whyNotTrusted(findBlockSignature(header, trust), trust);
  if (reason === null) return;
  throw new BackupError(
    'signature_invalid',
    `block ${number} of ${file.name} is not to be trusted: ${reason}`,
    {
      hint: 'somebody may have written into this vault who should not: use another copy; `encryption.trusted_signers` in the configuration says whose signatures count',
      facts: { file: file.name, block: number },
    },
  );
}

function isWanted({ to, lastCommit }: BlockHeader, from: bigint | undefined): boolean {
  if (from === undefined) return true;
  return to === null ? lastCommit! >= from : to > from;
}

function gapBetween(before: LogFile, file: LogFile): BackupError {
  return new BackupError(
    'log_gap',
    `the log has nothing from ${positionText(before.to)} to ${positionText(file.from)}`,
    { facts: { from: positionText(before.to), to: positionText(file.from) } },
  );
}

function damagedBlock(file: LogFile, number: number, reason: string, cause?: unknown): BackupError {
  return new BackupError('damaged', `block ${number} of ${file.name}: ${reason}`, {
    hint: SEE_ALL,
    facts: { file: file.name, block: number },
    cause,
  });
}

/** Runs what reads a block: damage that it finds says where it is. */
async function placing<Result>(file: LogFile, number: number, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (isBackupError(cause, 'vault_object_missing')) throw missingPart(file.name, cause);
    if (!isBackupError(cause, 'damaged')) throw cause;
    // What is said of a key's record has a place, and a way out, of its own.
    if (cause.facts.keyId !== undefined) throw cause;
    throw cause.facts.block === undefined ? damagedBlock(file, number, cause.message, cause) : cause;
  }
}

/** The blocks of one file; it must be used up by them and end where its name says. */
async function* readFile(
  vault: Vault,
  file: LogFile,
  lent: Lent,
  { windowBytes, keys, signal }: LogReadOptions,
): AsyncGenerator<LogBlock> {
  const source = makeSource(vault, file, windowBytes ?? WINDOW_BYTES);
  let offset = 0;
  let from = file.from;
  let last: BlockHeader | null = null;
  for (let number = 0; offset < file.sizeBytes; number += 1) {
    throwIfAborted(signal);
    const at = offset;
    const { header, digest, headerBytes } = await placing(file, number, () => readHeader(source, at));
    const reason = misplaced(header, last, from, file);
    if (reason !== null) throw damagedBlock(file, number, reason);
    const partsAt = offset + PREFIX_BYTES + headerBytes;
    offset = header.parts.reduce((sum, { storedBytes }) => sum + storedBytes, partsAt);
    if (offset > file.sizeBytes) throw damagedBlock(file, number, 'the file ends inside of it');
    yield openBlock({ header, digest, file, number, from }, partsAt, source, { lent, keys });
    from = header.to ?? from;
    last = header;
  }
  if (last?.to !== file.to) throw new BackupError('damaged', `${file.name} does not end where its name says`);
}

/** Why a block cannot stand where it does, or null. */
function misplaced(
  { isContinued, firstCommit, lastCommit, to, source }: BlockHeader,
  last: BlockHeader | null,
  from: bigint,
  file: LogFile,
): string | null {
  if (isContinued !== (last?.isOpen ?? false))
    return 'the transaction that goes on in it is not the one before';
  if (isContinued && firstCommit !== last!.lastCommit) return 'it goes on with another transaction';
  if (!isContinued && firstCommit !== null && firstCommit < from)
    return 'it has a commit of an earlier block';
  if (!isContinued && last?.lastCommit != null && firstCommit !== null && firstCommit <= last.lastCommit) {
    return 'it has a commit of an earlier block';
  }
  if (lastCommit !== null && lastCommit >= file.to) return 'it has a commit of a later file';
  if (to !== null && (to < from || to > file.to)) return 'it does not end inside of the range of the file';
  if (last !== null && JSON.stringify(source) !== JSON.stringify(last.source))
    return 'it is of another source';
  return null;
}

function makeSource(vault: Vault, file: LogFile, windowBytes: number): Source {
  let window: Uint8Array = new Uint8Array(0);
  let start = 0;
  let place: Place = { name: file.name, shift: 0 };
  const fetch = async (offset: number, length: number): Promise<Uint8Array> => {
    for (;;) {
      try {
        return await vault.readRange(place.name, place.shift + offset, length);
      } catch (error) {
        const moved = isBackupError(error, 'vault_object_missing') ? await findJoined(vault, file) : null;
        if (moved === null || moved.name === place.name) throw error;
        place = moved;
      }
    }
  };
  return {
    async read(offset, length) {
      if (offset + length > file.sizeBytes) throw new BackupError('damaged', 'the file ends inside of it');
      if (offset < start || offset + length > start + window.length) {
        window = await fetch(offset, Math.min(Math.max(length, windowBytes), file.sizeBytes - offset));
        start = offset;
      }
      return window.subarray(offset - start, offset - start + length);
    },
  };
}

/** Where the bytes of a file lie. */
interface Place {
  readonly name: string;
  readonly shift: number;
}

/** A compaction may have joined a file with others since it was listed: the same bytes are in a longer one then. */
async function findJoined(vault: Vault, file: LogFile): Promise<Place | null> {
  const folder = file.name.slice(0, file.name.lastIndexOf('/') + 1);
  const timeline = (await readLogCatalog(vault, folder))[0];
  const files = timeline?.spans.flatMap((span) => span.files) ?? [];
  const joined = files.find(({ from, to }) => from <= file.from && to >= file.to);
  if (joined === undefined || joined.name === file.name) return null;
  const source = makeSource(vault, joined, WINDOW_BYTES);
  const begins = new Set(joined.from === file.from ? [0] : []);
  for (let offset = 0; offset < joined.sizeBytes; ) {
    const { header, headerBytes } = await readHeader(source, offset);
    offset += PREFIX_BYTES + headerBytes;
    for (const { storedBytes } of header.parts) offset += storedBytes;
    const shift = offset - file.sizeBytes;
    if (header.to === file.to && begins.has(shift)) return { name: joined.name, shift };
    if (header.to === file.from) begins.add(offset);
  }
  return null;
}

async function readHeader(
  source: Source,
  offset: number,
): Promise<{ header: BlockHeader; digest: string; headerBytes: number }> {
  const { headerBytes, digest } = decodePrefix(await source.read(offset, PREFIX_BYTES));
  const header = decodeHeader(await source.read(offset + PREFIX_BYTES, headerBytes), digest);
  return { header, digest, headerBytes };
}

function openBlock(
  block: Pick<LogBlock, 'header' | 'digest' | 'file' | 'number' | 'from'>,
  partsAt: number,
  source: Source,
  { lent, keys }: { readonly lent: Lent; readonly keys: LogKeys | undefined },
): LogBlock {
  const { header, file, number } = block;
  const here = <Result>(work: () => Promise<Result>): Promise<Result> => placing(file, number, work);
  const plainOf = (role: BlockRole): Promise<Uint8Array | null> =>
    readPart(source, header, partsAt, role, () => sealOf(header, file, keys));
  const events = (): Promise<EventBatch | null> =>
    here(async () => using(await plainOf('events'), (plain) => readEvents(header, plain, lent)));
  return {
    ...block,
    events,
    transactions: () => here(async () => readTransactions(header, (await plainOf('transactions'))!)),
    checkEvents: () =>
      here(async () => using(await plainOf('events'), (plain) => checkEvents(header, plain, lent))),
    removals: () =>
      here(async () => using(await plainOf('removals'), (plain) => readRemovals(header, plain)) ?? []),
    describedEvents: () =>
      here(async () => {
        if (header.sealing == null) return JSON.stringify(partOf(header, 'events')?.events) ?? null;
        return using(await plainOf('index'), (plain) => Buffer.from(plain).toString());
      }),
    lastEventId: async (signer) => {
      const remembered = signer === null ? null : await here(async () => recall(header, file, signer));
      if (remembered !== null) return remembered;
      return using(await events(), (batch) => idText(batch, batch.count - 1));
    },
    checkDigests: () =>
      here(async () => {
        for (const { role } of header.parts) await readStored(source, header, partsAt, role);
      }),
  };
}

async function sealOf({ sealing }: BlockHeader, file: LogFile, keys: LogKeys | undefined): Promise<Seal> {
  const { keyId } = sealing!;
  if (keys !== undefined) return { key: await keys.keyOf(keyId), scope: logScope(file.name) };
  throw new BackupError('key_missing', `${file.name} is sealed, and no key opens it`, {
    hint: 'pass --identity FILE or --passphrase-file FILE, or name them under `encryption:` in the configuration',
    facts: { file: file.name, keyId },
  });
}

function recall(header: BlockHeader, file: LogFile, { memoryKey }: Signer): string | null {
  const key = importSealKey(memoryKey);
  if (header.sealing?.memoryKeyId !== sealKeyId(key)) return null;
  return openLastEvent(header, { key, scope: logScope(file.name) });
}

function using<Value, Result>(value: Value | null, use: (value: Value) => Result): Result | null {
  return value === null ? null : use(value);
}

/** Where a log ends, and how it goes on. */
export interface LogEnd {
  /** All before it is in the log, or behind a marked gap. */
  readonly position: bigint;
  /** What the next block calls `previous`. */
  readonly digest: string | null;
  /** Of the last block. */
  readonly header: BlockHeader;
}

/** The end of a log; null when it has no file yet. Throws `damaged`. */
export async function lastBlock(vault: Vault, timeline: LogTimeline): Promise<LogEnd | null> {
  const file = timeline.spans.at(-1)?.files.at(-1);
  if (file === undefined) return null;
  let last: LogBlock | null = null;
  for await (const block of readLogBlocks(vault, [file], readingOf(timeline))) last = block;
  const { header, digest } = last!;
  const gap = gapBehind(timeline.gaps, file);
  if (gap !== undefined) return { position: gap.to, digest: null, header };
  return { position: file.to, digest, header };
}
