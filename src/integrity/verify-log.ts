import { BackupError, isBackupError } from '../core/errors.ts';
import { factsOf } from '../core/event-facts.ts';
import type { Problem, ProblemCode, Progress } from '../core/report.ts';
import { addBatch, makeStreamTable } from '../core/stream-table.ts';
import { NO_TRUST_POLICY, type TrustPolicy, whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { chunkEvents } from '../format/chunk-index.ts';
import { isKeyRecordForged, keyRecordName, readKeyRecords } from '../format/key-record.ts';
import type { LogFile, LogTimeline, QuietMark } from '../format/log-catalog.ts';
import { partOf } from '../format/log-header.ts';
import { positionText } from '../format/log-name.ts';
import { isAbout, quietFile } from '../format/log-quiet.ts';
import {
  findBlockSignature,
  type LogBlock,
  type LogReadOptions,
  readLogBlocks,
} from '../format/log-reader.ts';
import { makeFilter } from '../format/stream-filter.ts';

/** The outcome for the log of one timeline; the field names are the command line's contract. */
export interface LogVerification {
  readonly folder: string;
  /** Positions, sixteen hexadecimal digits; null when it has no file. */
  readonly from: string | null;
  readonly to: string | null;
  readonly files: number;
  readonly transactions: number;
  readonly events: number;
  readonly problems: readonly Problem[];
  /** More problems were found than are listed. */
  readonly problemsOmitted: number;
  /** Marked when they were noticed: no damage, but no recovery crosses them. */
  readonly gaps: readonly LogGap[];
  /** Null when contents were not looked at (`quick`); false where some are sealed and no key opens them: only digests were checked. */
  readonly contentsChecked: boolean | null;
  /** Soundly; whoever else it names is among the problems. */
  readonly signedBy: readonly string[];
  readonly blocksUnsigned: number;
}

export interface LogGap {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly message: string;
  readonly noticedAt: string;
}

export interface VerifyLogOptions {
  /** Only names, sizes and the headers of blocks: no event and no transaction is read. */
  readonly quick: boolean;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Much is fetched at a time by who reads all. */
const WINDOW_BYTES = 1 << 20;
/** More problems than this are counted, not listed. */
const MAX_PROBLEMS = 1000;

interface Found {
  readonly problems: Problem[];
  transactions: number;
  events: number;
  bytes: number;
  blocksUnsigned: number;
  readonly signedBy: Set<string>;
  /** Keys of blocks, and whether they open; asked for at the first block of each. */
  readonly keys: Map<string, boolean>;
}

/**
 * Checks the log of one timeline: that its files follow one another without a hole that is not marked, that each block follows
 * the one before, and that digests, transactions and events are what the headers say. Damage is reported, not thrown; only a
 * vault that fails throws.
 */
export async function verifyLog(
  vault: Vault,
  timeline: LogTimeline,
  options: VerifyLogOptions,
): Promise<LogVerification> {
  const { folder, spans, gaps } = timeline;
  const found: Found = {
    ...{ problems: [], transactions: 0, events: 0, bytes: 0, blocksUnsigned: 0 },
    ...{ signedBy: new Set<string>(), keys: new Map<string, boolean>() },
  };
  for (const message of timeline.problems) report(found, 'log_broken', null, null, message);
  for (const { files } of spans) await verifySpan(vault, timeline, files, found, options);
  for (const mark of timeline.quiet) await verifyMark(vault, timeline, mark, found, options);
  const first = spans[0];
  const last = spans.at(-1);
  return {
    folder,
    from: first === undefined ? null : positionText(first.from),
    to: last === undefined ? null : positionText(last.to),
    files: spans.reduce((sum, { files }) => sum + files.length, 0),
    ...{ transactions: found.transactions, events: found.events },
    problems: found.problems.slice(0, MAX_PROBLEMS),
    problemsOmitted: Math.max(0, found.problems.length - MAX_PROBLEMS),
    gaps: gaps.map((gap) => ({ ...gap, from: positionText(gap.from), to: positionText(gap.to) })),
    contentsChecked: options.quick ? null : [...found.keys.values()].every((opens) => opens),
    ...{ signedBy: [...found.signedBy], blocksUnsigned: found.blocksUnsigned },
  };
}

function report(
  { problems }: Found,
  code: ProblemCode,
  file: string | null,
  block: number | null,
  message: string,
): void {
  problems.push({ code, file, chunk: block, streamId: null, version: null, message });
}

/** File by file, so that one that is damaged does not hide what is wrong with the others. */
async function verifySpan(
  vault: Vault,
  timeline: LogTimeline,
  files: readonly LogFile[],
  found: Found,
  options: VerifyLogOptions,
): Promise<void> {
  // Unknown before the first block, and behind a file that could not be read to its end.
  let previous: string | null = null;
  for (const file of files) {
    const before = previous;
    previous = null;
    try {
      let digest: string | null = null;
      for await (const block of readLogBlocks(vault, [file], readOptions(timeline, options))) {
        if (digest === null && before !== null && block.header.previous !== before) {
          report(
            found,
            'log_broken',
            file.name,
            block.number,
            `${file.name} does not follow the file before it`,
          );
        }
        digest = block.digest;
        verifySignature(block, timeline.keys?.trust ?? NO_TRUST_POLICY, found);
        await verifyKey(vault, timeline, block, found);
        await verifyBlock(block, found, options);
      }
      previous = digest;
    } catch (error) {
      reportDamage(error, file, found);
    }
  }
}

async function verifyMark(
  vault: Vault,
  timeline: LogTimeline,
  mark: QuietMark,
  found: Found,
  options: VerifyLogOptions,
): Promise<void> {
  const file = quietFile(mark);
  try {
    for await (const block of readLogBlocks(vault, [file], readOptions(timeline, options))) {
      if (!isAbout(block, mark)) {
        report(
          found,
          'log_damaged',
          mark.name,
          block.number,
          `${mark.name} does not hold what its name says`,
        );
      }
      verifySignature(block, timeline.keys?.trust ?? NO_TRUST_POLICY, found);
      await verifyKey(vault, timeline, block, found);
      await verifyBlock(block, found, options);
    }
  } catch (error) {
    reportDamage(error, file, found);
  }
}

function readOptions({ keys }: LogTimeline, { quick, signal }: VerifyLogOptions): LogReadOptions {
  return { signal, keys, ...(quick ? {} : { windowBytes: WINDOW_BYTES }) };
}

/** A block that could not be told from its surroundings, or one of its parts. */
function reportDamage(error: unknown, file: LogFile, found: Found): void {
  if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
  const { block } = error.facts;
  const code = error.code === 'store_unsupported' ? 'format_unknown' : 'log_damaged';
  report(found, code, file.name, typeof block === 'number' ? block : null, error.message);
}

function verifySignature({ header, file, number }: LogBlock, trust: TrustPolicy, found: Found): void {
  const signature = findBlockSignature(header, trust);
  const { state, signer } = signature;
  if (state === 'unsigned') found.blocksUnsigned += 1;
  if (state === 'signed') found.signedBy.add(signer!);
  const reason = whyNotTrusted(signature, trust);
  if (reason === null) return;
  const message = `block ${number} of ${file.name} is not to be trusted: ${reason}`;
  report(found, 'signature_invalid', file.name, number, message);
}

/** Whether a block's key is there and opens, and who signed its records: once for each. */
async function verifyKey(
  vault: Vault,
  { folder, keys }: LogTimeline,
  { header }: LogBlock,
  found: Found,
): Promise<void> {
  const keyId = header.sealing?.keyId;
  if (keyId === undefined || found.keys.has(keyId)) return;
  found.keys.set(keyId, false);
  try {
    const own = (await readKeyRecords(vault, folder, keyId)).get(keyId) ?? [];
    if (own.length === 0) {
      const message = `the record of key ${keyId} is missing: without it nobody can open what it seals`;
      report(found, 'key_record_missing', null, null, message);
    }
    for (const { number } of own.filter(isKeyRecordForged)) {
      const name = folder + keyRecordName(keyId, number);
      report(found, 'signature_invalid', name, null, `${name} has a signature that its signer did not make`);
    }
    if (own.length === 0 || keys === undefined) return;
    await keys.keyOf(keyId);
    found.keys.set(keyId, true);
  } catch (error) {
    // Who only has public keys checks digests.
    if (isBackupError(error, 'key_missing', 'key_wrong')) return;
    if (!isBackupError(error, 'damaged')) throw error;
    const { file } = error.facts;
    report(found, 'key_record_damaged', typeof file === 'string' ? file : null, null, error.message);
  }
}

async function verifyBlock(block: LogBlock, found: Found, options: VerifyLogOptions): Promise<void> {
  const { header, file } = block;
  found.transactions += header.transactions - (header.isContinued ? 1 : 0);
  found.events += partOf(header, 'events')?.records ?? 0;
  found.bytes += header.parts.reduce((sum, { plainBytes }) => sum + plainBytes, 0);
  options.onProgress?.({ events: found.events, bytes: found.bytes, totalEvents: null, totalBytes: null });
  if (options.quick) return;
  const isClosed = header.sealing != null && found.keys.get(header.sealing.keyId) !== true;
  const contents = [block.transactions, () => checkEvents(block), block.removals];
  for (const check of isClosed ? [block.checkDigests] : contents) {
    try {
      await check();
    } catch (error) {
      reportDamage(error, file, found);
    }
  }
  // Checking is synchronous work: let timers, signals and messages in.
  await new Promise((resolve) => setImmediate(resolve));
}

/** Events decode, and the header says of them what they say themselves. */
async function checkEvents({ number, file, checkEvents: check, describedEvents }: LogBlock): Promise<void> {
  const events = await check();
  if (events === null) return;
  const table = makeStreamTable();
  const { streams } = addBatch(table, events);
  const facts = factsOf(events, { versionBase: 0, futureAfter: 0n });
  const described = chunkEvents(facts, streams.length, makeFilter(table, streams));
  if (JSON.stringify(described) === (await describedEvents())) return;
  throw new BackupError(
    'damaged',
    `block ${number} of ${file.name}: its events are not those that its header describes`,
    { facts: { block: number } },
  );
}
