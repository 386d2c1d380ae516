import { BackupError, isBackupError } from '../../core/errors.ts';
import { factsOf } from '../../core/event-facts.ts';
import type { FoundProblem, Problem, ProblemCode, Progress } from '../../core/report.ts';
import type { RungResult } from '../../core/rungs.ts';
import { addBatch, makeStreamTable } from '../../core/stream-table.ts';
import { NO_TRUST_POLICY, type TrustPolicy, whyNotTrusted } from '../../core/trust.ts';
import type { Vault } from '../../core/vault.ts';
import { chunkEvents } from '../../format/chunk-index.ts';
import { isKeyRecordForged, keyRecordName, readKeyRecords } from '../../format/key-record.ts';
import type { LogFile, LogTimeline, QuietMark } from '../../format/log-catalog.ts';
import { partOf } from '../../format/log-header.ts';
import { positionText } from '../../format/log-name.ts';
import { isAbout, quietFile } from '../../format/log-quiet.ts';
import {
  findBlockSignature,
  type LogBlock,
  type LogReadOptions,
  readLogBlocks,
} from '../../format/log-reader.ts';
import { isSealBroken } from '../../format/seal.ts';
import { makeFilter } from '../../format/stream-filter.ts';
import { climb, rungsOf, type Untried, untriedFor, withRung } from './ladder.ts';

/** The outcome for the log of one timeline; the field names are the command line's contract. */
export interface LogVerification {
  readonly folder: string;
  /** Positions, sixteen hexadecimal digits; null when it has no file. */
  readonly from: string | null;
  readonly to: string | null;
  readonly files: number;
  readonly transactions: number;
  readonly events: number;
  /** All rungs of the ladder, the lowest first. */
  readonly rungs: readonly RungResult[];
  /** Whether all of its files were checked, or some of them alone. */
  readonly isWhole: boolean;
  readonly problems: readonly FoundProblem[];
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
  /** Whole names of the files to check; left out: all. Marks of quiet are small and always checked. */
  readonly files?: ReadonlySet<string> | undefined;
  /** A file was read to its end, with these problems; `isOpen`: also what is sealed in it. */
  readonly onFile?: (file: LogFile, problems: readonly Problem[], isOpen: boolean) => void;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Much is fetched at a time by who reads all. */
const WINDOW_BYTES = 1 << 20;
/** More problems than this are counted, not listed. */
const MAX_PROBLEMS = 1000;

/** Why rungs are not tried, where they are not. */
function untriedRungs({ keys, signedBy }: Found, quick: boolean, isOpen: boolean): Untried {
  const isProven = keys.size > 0 || signedBy.size > 0;
  // What speaks most generally comes last and counts.
  return {
    structure: 'events of a log are held against their streams when it is replayed',
    ...untriedFor(isOpen ? null : 'no key opens all of it', 'seal', 'decode', 'order', 'counts'),
    ...untriedFor(isProven ? null : 'it is neither sealed nor signed', 'seal'),
    ...untriedFor(quick ? '`--quick`' : null, 'checksum', 'seal', 'decode', 'order', 'counts'),
    completeness: 'a log is not compared with a store',
  };
}

interface Found {
  readonly problems: Problem[];
  /** Checked so far. */
  files: number;
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
    ...{ problems: [], files: 0, transactions: 0, events: 0, bytes: 0, blocksUnsigned: 0 },
    ...{ signedBy: new Set<string>(), keys: new Map<string, boolean>() },
  };
  for (const message of timeline.problems) report(found, 'log_broken', null, null, message);
  for (const span of spans) await verifySpan(vault, timeline, span.files, found, options);
  for (const mark of timeline.quiet) await verifyMark(vault, timeline, mark, found, options);
  const first = spans[0];
  const last = spans.at(-1);
  const files = spans.reduce((sum, span) => sum + span.files.length, 0);
  const isOpen = [...found.keys.values()].every((opens) => opens);
  return {
    folder,
    from: first === undefined ? null : positionText(first.from),
    to: last === undefined ? null : positionText(last.to),
    ...{ files: found.files, transactions: found.transactions, events: found.events },
    rungs: climb(rungsOf(found.problems), untriedRungs(found, options.quick, isOpen)),
    isWhole: found.files === files,
    problems: found.problems.slice(0, MAX_PROBLEMS).map(withRung),
    problemsOmitted: Math.max(0, found.problems.length - MAX_PROBLEMS),
    gaps: gaps.map((gap) => ({ ...gap, from: positionText(gap.from), to: positionText(gap.to) })),
    contentsChecked: options.quick ? null : isOpen,
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
    if (options.files?.has(file.name) === false) continue;
    found.files += 1;
    const known = found.problems.length;
    let isOpen = true;
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
        isOpen &&= !isShut(block, found);
        await verifyBlock(block, found, options);
      }
      previous = digest;
    } catch (error) {
      reportDamage(error, file, found);
    }
    options.onFile?.(file, found.problems.slice(known), isOpen);
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
function reportDamage(
  error: unknown,
  file: LogFile,
  found: Found,
  damage: ProblemCode = 'log_damaged',
): void {
  if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
  const { block } = error.facts;
  const code = error.code === 'store_unsupported' ? 'format_unknown' : damage;
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
  const contents = [block.transactions, () => checkEvents(block), block.removals];
  for (const check of isShut(block, found) ? [block.checkDigests] : contents) {
    try {
      await check();
    } catch (error) {
      reportDamage(error, file, found, await kindOfDamage(error, block));
    }
  }
  // Checking is synchronous work: let timers, signals and messages in.
  await new Promise((resolve) => setImmediate(resolve));
}

/** Sealed, and no key opens it. */
function isShut({ header }: LogBlock, { keys }: Found): boolean {
  return header.sealing != null && keys.get(header.sealing.keyId) !== true;
}

/** Which rung what was met belongs to: is it not what was written, or was something else written than it should? */
async function kindOfDamage(error: unknown, { checkDigests }: LogBlock): Promise<ProblemCode> {
  if (isSealBroken(error)) return 'seal_broken';
  try {
    await checkDigests();
    return 'log_undecodable';
  } catch (again) {
    if (!isBackupError(again, 'damaged')) throw again;
    return 'log_damaged';
  }
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
