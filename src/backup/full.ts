import type { Clock } from '../core/clock.ts';
import { awaitedLater } from '../core/concurrency.ts';
import { BackupError } from '../core/errors.ts';
import type { EventStore, StoreDescription, StoreRange, StoreSnapshot } from '../core/event-store.ts';
import type { ChunkFormat, Compression, Manifest, ManifestFile } from '../core/manifest.ts';
import { nameText } from '../core/name-text.ts';
import type { BackupVerification, Progress } from '../core/report.ts';
import type { Stages } from '../core/stages.ts';
import { type StreamTable, streamFacts, streamName } from '../core/stream-table.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import type { Writers } from '../core/writers.ts';
import { type Attempt, attemptName, encodeAttempt } from '../format/attempt-codec.ts';
import { BACKUPS_PREFIX, bundleFolder } from '../format/bundle.ts';
import { beginSeal, isSealing, type WriteKeys } from '../format/bundle-seal.ts';
import type { ChainMember } from '../format/chain.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { atWork, canBeTakenUp, type FoundAttempt, findAttempts, whyNotTakenUp } from './attempts.ts';
import { noEventStore } from './failures.ts';
import { finish, giveUp, limitsAt, type Target, writeRest } from './finish.ts';
import type { KeptFileJob } from './kept-file.ts';
import type { RangeHooks, RangeJob, RangeResult } from './range.ts';
import { progressOver, readRanges } from './read-ranges.ts';
import { resumeBackup } from './resume.ts';

export interface FullBackupPorts {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Runs a range in another thread or on another machine, which joins the snapshot by its token. */
  readonly runRange?: (snapshotToken: string, job: RangeJob, hooks: RangeHooks) => Promise<RangeResult>;
  /** False: `runRange` is called for all ranges of a store that has several. Left out: one at a time is read here. */
  readonly readsHere?: boolean;
  /** Looks through a finished file of an attempt in another thread. */
  readonly runKept?: (job: KeptFileJob, hooks: RangeHooks) => Promise<RangeResult>;
  /** Without it no attempt is taken up, and none can be taken up later. */
  readonly writers?: Writers;
  /** Who may open the backup, and who signs it. Left out: it is neither sealed nor signed. */
  readonly keys?: WriteKeys | undefined;
  /** Checks what was written before the manifest makes it a backup. Left out: no check. */
  readonly verify?: (backup: ChainMember) => Promise<BackupVerification>;
}

export type ResumingPorts = FullBackupPorts & { readonly writers: Writers };

export interface FullBackupOptions {
  readonly format: ChunkFormat;
  readonly compression: Compression;
  /** Null: the compression's default. */
  readonly level: number | null;
  /** Ranges read at the same time, 1–64. */
  readonly parallel: number;
  readonly chunkBytes: number;
  /** About how much of a large store goes into one event file; what is finished of a backup that dies is kept by files. */
  readonly rangeBytes?: number;
  /**
   * Which attempt to take up: the one with this id, or none (false). Left out: the newest of this store and these formats
   * whose writer is known to be dead.
   */
  readonly resume?: string | false;
  /** Names the backup once it is begun. */
  readonly onBegin?: (backupId: string) => void;
  /** Name and version of the program, for the manifest. */
  readonly software: string;
  readonly onProgress?: (progress: Progress) => void;
  /** What is being done, in words. */
  readonly onStep?: (step: string) => void;
  readonly signal?: AbortSignal;
}

export interface FullBackupReport {
  readonly manifest: Manifest;
  readonly folder: string;
  /** Null when no check was asked for. */
  readonly verification: BackupVerification | null;
  /** Pieces that earlier, killed writers had left in the vault and that are gone now. */
  readonly leftoversRemoved: number;
  /** Where the time of reading and writing went. */
  readonly stages: Stages;
  /** What was taken up; null when the backup was begun by this run. */
  readonly resumed: ResumedReport | null;
  /** Why attempts were not taken up, or given up. */
  readonly notes: readonly string[];
}

export interface ResumedReport {
  readonly attemptStartedAt: string;
  readonly filesKept: number;
  readonly eventsKept: number;
  /** What the store had committed in the parts that were kept. */
  readonly eventsAdded: number;
}

/** What a backup that dies should lose at most is read in a second or two. */
const RANGE_BYTES = 256 << 20;
/** A store that is smaller than so many ranges is not cut smaller for it: to have a part read elsewhere costs some time. */
const FEW_PARTS = 4;

/**
 * Backs up all of a store. The manifest is written last, after everything else is durable and (with
 * `ports.verify`) read back and found sound; a failure or an abort before that removes what was written, unless another run
 * can take it up.
 */
export async function takeFullBackup(
  ports: FullBackupPorts,
  options: FullBackupOptions,
): Promise<FullBackupReport> {
  const { store, vault } = ports;
  const source = await store.inspect();
  if (source.state === 'missing') throw noEventStore(store.address);
  await vault.open({ create: true });
  const leftoversRemoved = await vault.removeLeftovers(BACKUPS_PREFIX);
  const notes: string[] = [];
  const resumed = await resume(ports, options, source, notes);
  const report = resumed ?? { ...(await takeAnew(ports, options, source)), resumed: null };
  return { ...report, leftoversRemoved, notes };
}

/** Takes up an attempt, if there is one; null when the backup is to be begun anew. */
async function resume(
  ports: FullBackupPorts,
  options: FullBackupOptions,
  source: StoreDescription,
  notes: string[],
): Promise<Omit<FullBackupReport, 'leftoversRemoved' | 'notes'> | null> {
  const { writers } = ports;
  if (writers === undefined || options.resume === false || isSealing(ports.keys)) return null;
  const wanted = options.resume;
  const fit: FoundAttempt[] = [];
  let fault = wanted === undefined ? null : 'there is no such attempt';
  for (const attempt of await findAttempts(ports.vault)) {
    if (wanted !== undefined && !attempt.backupId.startsWith(wanted)) continue;
    fault = whyNotTakenUp(attempt, { ...options, isNamed: wanted !== undefined }, writers);
    if (fault === null) fit.push(attempt);
    else notes.push(`attempt ${attempt.backupId} is not taken up: ${fault}`);
  }
  if (fit.length > 0) {
    const outcome = await resumeBackup({ ...ports, writers }, options, source, fit);
    if (outcome.kind === 'taken') return outcome.report;
    fault = outcome.reason;
    if (outcome.kind === 'anew') notes.push(`an unfinished backup was thrown away: ${fault}`);
    if (outcome.kind === 'anew') return null;
  }
  if (wanted === undefined) return null;
  throw new BackupError('backup_not_found', `attempt ${wanted} cannot be taken up: ${fault}`, {
    hint: '`eventcore list` shows the attempts of this vault; without --resume a backup is begun anew',
  });
}

export interface WrittenFiles {
  readonly startedAtMs: number;
  readonly files: readonly ManifestFile[];
  readonly facts: RangeResult['facts'];
  readonly table: StreamTable;
  readonly stages: Stages;
  readonly headsDigest: string;
  readonly cursor: StoreSnapshot['cursor'];
}

async function takeAnew(ports: FullBackupPorts, options: FullBackupOptions, source: StoreDescription) {
  const { vault, clock } = ports;
  const backupId = clock.uuid();
  const folder = bundleFolder('full', backupId);
  options.onBegin?.(backupId);
  atWork.add(backupId);
  try {
    const createdAt = formatTime(timeFromUnixMs(clock.now()), 3);
    const bundle = { folder, backupId, createdAt, software: options.software };
    const seal = await beginSeal(vault, ports.keys, bundle);
    const target: Target = { folder, backupId, source, seal };
    const { written, runs } = await writeFiles(ports, options, target);
    return await finish(ports, options, target, written, runs);
  } catch (error) {
    throw await giveUp(vault, { folder, backupId }, error);
  } finally {
    atWork.delete(backupId);
  }
}

async function writeFiles(
  ports: FullBackupPorts,
  options: FullBackupOptions,
  target: Target,
): Promise<{ written: WrittenFiles; runs: number }> {
  const snapshot = await ports.store.openSnapshot();
  try {
    const startedAtMs = ports.clock.now();
    const limits = limitsAt(startedAtMs, target.source);
    options.onStep?.('reading events');
    const onProgress = progressOver(await snapshot.estimate(), options.onProgress);
    const parts = ports.readsHere === false ? Math.min(FEW_PARTS, options.parallel) : options.parallel;
    const ranges = await snapshot.planRanges(parts, options.rangeBytes ?? RANGE_BYTES);
    // Reading does not wait for it: an attempt that dies before is of no use to anyone.
    const recording = awaitedLater(record(ports, options, target, snapshot, { ranges, startedAtMs }));
    const common = { folder: target.folder, limits, seal: target.seal?.data ?? null, onProgress };
    const gathered = await readRanges(ports, options, snapshot, ranges, common).finally(() =>
      recording.catch(() => undefined),
    );
    await judgeDoubled(snapshot, gathered.table);
    const runs = await recording;
    const rest = await writeRest(ports, options, target, snapshot, gathered);
    return { written: { ...rest, startedAtMs }, runs };
  } finally {
    await snapshot.close();
  }
}

const MOST_JUDGED = 100;

async function judgeDoubled(snapshot: StoreSnapshot, table: StreamTable): Promise<void> {
  if (snapshot.judgeDoubled === undefined) return;
  const doubled: string[] = [];
  for (let index = 0; index < table.count && doubled.length < MOST_JUDGED; index += 1) {
    if (streamFacts(table, index).duplicates > 0) doubled.push(nameText(streamName(table, index)));
  }
  await snapshot.judgeDoubled(doubled);
}

/** Leaves word for a run that may have to take this one up. Gives how many attempts are in the folder then. */
async function record(
  { vault, writers }: FullBackupPorts,
  { format, compression, level }: FullBackupOptions,
  { folder, backupId, seal }: Target,
  snapshot: StoreSnapshot,
  { ranges, startedAtMs }: { readonly ranges: readonly StoreRange[]; readonly startedAtMs: number },
): Promise<number> {
  // The only file of a small store is finished when there is hardly anything left to do.
  // To take it up, one would have to open what is finished; the host may not be able to.
  if (writers === undefined || seal !== null) return 0;
  if (ranges.length === 1 || !canBeTakenUp(snapshot.cursor)) return 0;
  const cursor = await snapshot.settledCursor();
  if (!canBeTakenUp(cursor)) return 0;
  const attempt: Attempt = {
    ...{ attemptVersion: 1, backupId, number: 1 },
    startedAt: formatTime(timeFromUnixMs(startedAtMs), 3),
    ...{ writer: writers.self, format, compression, level, cursor },
    reads: ranges.map(({ index, spec }) => ({ part: index, file: index + 1, spec })),
  };
  await writeObject(vault, folder + attemptName(1), encodeAttempt(attempt));
  return 1;
}
