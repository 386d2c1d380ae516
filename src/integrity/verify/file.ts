import { BackupError, isBackupError, throwIfAborted } from '../../core/errors.ts';
import { type EventBatch, NULL_LENGTH } from '../../core/event-batch.ts';
import { type EventFacts, type FactLimits, factsOf, makeFacts, mergeFacts } from '../../core/event-facts.ts';
import type { ChunkFormat, Compression, ManifestFile } from '../../core/manifest.ts';
import type { Problem, ProblemCode } from '../../core/report.ts';
import { addBatch, makeStreamTable, type StreamTable } from '../../core/stream-table.ts';
import type { Vault } from '../../core/vault.ts';
import { type ChunkCodec, chunkCodec } from '../../format/chunk-codec.ts';
import type { ChunkEntry } from '../../format/chunk-index.ts';
import { type FetchedChunk, fetchChunks, readIndex, withPlain } from '../../format/data-file-reader.ts';
import { type FileDigest, makeFileDigest } from '../../format/file-digest.ts';
import { decodeHeads } from '../../format/heads.ts';
import { isJson } from '../../format/json-value.ts';
import { decodeCompanions } from '../../format/line-files.ts';
import { isSealBroken, type Seal } from '../../format/seal.ts';

/** What one checker is to do: one data file and its chunk table. Survives structured cloning. */
export interface VerifyFileJob {
  readonly folder: string;
  readonly file: ManifestFile;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  /** Null: not sealed. `shut`: nobody here can open it, and only its digests are checked. */
  readonly seal: Seal | null | 'shut';
  readonly limits: FactLimits;
  /** SHA-256 (hex) that the plain bytes of a heads file must have. */
  readonly headsDigest: string;
  /** Only existence, sizes and the chunk table; no data is read. */
  readonly quick: boolean;
  /** Counts the payloads that are no JSON too: to put the texts of `columns` together takes several times as long as all else. */
  readonly payloads: boolean;
}

export interface VerifyFileResult {
  readonly problems: Problem[];
  /** Events: what the file holds. Other files: empty. */
  readonly facts: EventFacts;
  readonly table: StreamTable;
  /** Data and metadata that are no JSON, where they were looked at. */
  malformed: number;
}

export interface VerifyFileHooks {
  readonly onProgress?: (events: number, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const PART_BYTES = 4 << 20;
const NOT_ITS_CHECKSUM = 'does not have the checksum in the manifest';
/** A file with more problems than this is broken altogether; the rest is not listed. */
const MAX_PROBLEMS_PER_FILE = 1000;

/** Checks one data file, from its existence up to the structure of each event. Never stops at the first problem. */
export async function verifyFile(
  vault: Vault,
  job: VerifyFileJob,
  hooks: VerifyFileHooks = {},
): Promise<VerifyFileResult> {
  const result: VerifyFileResult = {
    problems: [],
    facts: makeFacts(),
    table: makeStreamTable(),
    malformed: 0,
  };
  const report = reporter(result.problems, job.file.name);
  const present = await checkPresence(vault, job, report);
  const entries = await loadEntries(vault, job, present.index, report);
  // Of a file with another size, the chunks that are there can still be checked.
  if (job.quick || present.file === 'missing') return result;
  if (entries === null) {
    if (present.file === 'whole') await checkWholeFile(vault, job, report, hooks.signal);
    return result;
  }
  const heads = makeFileDigest();
  const check = chunkChecker(job, result, heads);
  const digest = makeFileDigest();
  try {
    for await (const chunk of fetchChunks(vault, job.folder + job.file.name, entries, {
      signal: hooks.signal,
    })) {
      digest.update(chunk.stored);
      const events = await checkChunk(chunk, check, job, report);
      hooks.onProgress?.(events, chunk.entry.plainBytes);
      // Checking is synchronous work: let timers, signals and messages in.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (digest.hex() !== job.file.sha256) report('file_checksum', null, NOT_ITS_CHECKSUM);
    if (isHeads(job.file) && result.problems.length === 0 && heads.hex() !== job.headsDigest) {
      report('heads_differ', null, 'does not hold the heads that the manifest names');
    }
  } catch (error) {
    throwIfAborted(hooks.signal);
    if (!isBackupError(error, 'damaged')) throw error;
    report('file_size', null, error.message);
  }
  return result;
}

function isHeads({ role }: ManifestFile): boolean {
  return role === 'heads' || role === 'memory';
}

/** Without its chunk table a file can only be held against its own digest. */
async function checkWholeFile(
  vault: Vault,
  job: VerifyFileJob,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<void> {
  const digest = makeFileDigest();
  const { name, sizeBytes, sha256 } = job.file;
  for (let offset = 0; offset < sizeBytes; offset += PART_BYTES) {
    throwIfAborted(signal);
    digest.update(await vault.readRange(job.folder + name, offset, Math.min(PART_BYTES, sizeBytes - offset)));
  }
  if (digest.hex() !== sha256) report('file_checksum', null, NOT_ITS_CHECKSUM);
}

type Report = (code: ProblemCode, chunk: number | null, message: string, file?: string) => void;

function reporter(problems: Problem[], name: string): Report {
  return (code, chunk, message, file = name) => {
    if (problems.length >= MAX_PROBLEMS_PER_FILE) return;
    const place = chunk === null ? file : `chunk ${chunk} of ${file}`;
    problems.push({ code, file, chunk, streamId: null, version: null, message: `${place} ${message}` });
  };
}

type Presence = 'whole' | 'resized' | 'missing';

/** What of a file and its table is there with the size that the manifest says. */
async function checkPresence(
  vault: Vault,
  job: VerifyFileJob,
  report: Report,
): Promise<{ file: Presence; index: Presence }> {
  const { file, folder } = job;
  return {
    file: await checkSize(vault, folder, file, report),
    index: await checkSize(vault, folder, file.index, report),
  };
}

async function checkSize(
  vault: Vault,
  folder: string,
  expected: { readonly name: string; readonly sizeBytes: number },
  report: Report,
): Promise<Presence> {
  const info = await vault.stat(folder + expected.name);
  if (info?.sizeBytes === expected.sizeBytes) return 'whole';
  if (info === null) report('file_missing', null, 'is missing', expected.name);
  else
    report('file_size', null, `has ${info.sizeBytes} bytes instead of ${expected.sizeBytes}`, expected.name);
  return info === null ? 'missing' : 'resized';
}

/** The chunk table; null when it cannot be read. */
async function loadEntries(
  vault: Vault,
  job: VerifyFileJob,
  presence: Presence,
  report: Report,
): Promise<ChunkEntry[] | null> {
  if (presence !== 'whole') return null;
  if (job.seal !== 'shut') return loadIndex(vault, job, job.seal, report);
  const { name, sizeBytes, sha256 } = job.file.index;
  const digest = makeFileDigest();
  digest.update(await vault.readRange(job.folder + name, 0, sizeBytes));
  if (digest.hex() !== sha256) report('index_damaged', null, NOT_ITS_CHECKSUM, name);
  return null;
}

async function loadIndex(
  vault: Vault,
  job: VerifyFileJob,
  seal: Seal | null,
  report: Report,
): Promise<ChunkEntry[] | null> {
  try {
    return await readIndex(vault, job.folder, job.file, seal);
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    const code = isSealBroken(error) ? 'seal_broken' : 'index_damaged';
    report(code, null, `is damaged: ${error.message}`, job.file.index.name);
    return null;
  }
}

/** Reads the plain bytes of a chunk and says how many records it found; throws `damaged`. */
type CheckPlain = (plain: Uint8Array, entry: ChunkEntry) => number;

function chunkChecker(job: VerifyFileJob, result: VerifyFileResult, heads: FileDigest): CheckPlain {
  if (isHeads(job.file)) {
    return (plain) => {
      heads.update(plain);
      return decodeHeads(plain).length;
    };
  }
  if (job.file.role === 'companions') return (plain) => decodeCompanions(plain).length;
  const codec = chunkCodec(job.format);
  return (plain, entry) => checkEvents(codec, plain, entry, job, result);
}

function checkEvents(
  codec: ChunkCodec,
  plain: Uint8Array,
  entry: ChunkEntry,
  job: VerifyFileJob,
  result: VerifyFileResult,
): number {
  const batch = job.payloads ? countMalformed(codec.decode(plain), result) : codec.check(plain);
  const facts = factsOf(batch, job.limits);
  mergeFacts(result.facts, facts);
  const streams = addBatch(result.table, batch).streams.length;
  if (entry.events === undefined || entry.events.streams !== streams) {
    throw new BackupError(
      'damaged',
      `holds ${streams} streams, its table says ${entry.events?.streams ?? 'none'}`,
    );
  }
  return batch.count;
}

function countMalformed(batch: EventBatch, result: VerifyFileResult): EventBatch {
  for (const { starts, lengths } of [batch.data, batch.metadata]) {
    for (let row = 0; row < batch.count; row += 1) {
      const [start, length] = [starts[row]!, lengths[row]!];
      if (length !== NULL_LENGTH && !isJson(batch.bytes, start, start + length)) result.malformed += 1;
    }
  }
  return batch;
}

async function checkChunk(
  chunk: FetchedChunk,
  check: CheckPlain,
  job: VerifyFileJob,
  report: Report,
): Promise<number> {
  if (!chunk.intact) {
    report('chunk_checksum', chunk.number, 'does not have its checksum');
    return 0;
  }
  try {
    // A file that is shut has no chunk table to get here by.
    const seal = job.seal === 'shut' ? null : job.seal;
    const form = { name: job.file.name, compression: job.compression, seal };
    const records = await withPlain(chunk, form, (plain) => check(plain, chunk.entry));
    if (records !== chunk.entry.records) {
      report(
        'chunk_mismatch',
        chunk.number,
        `holds ${records} records, its table says ${chunk.entry.records}`,
      );
    }
    return job.file.role === 'events' ? records : 0;
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    const code = isSealBroken(error) ? 'seal_broken' : 'chunk_undecodable';
    report(code, chunk.number, `cannot be read: ${error.message}`);
    return 0;
  }
}
