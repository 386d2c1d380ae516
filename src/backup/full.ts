import type { Clock } from '../core/clock.ts';
import { runLimited } from '../core/concurrency.ts';
import { throwIfAborted } from '../core/errors.ts';
import { makeFacts, mergeFacts } from '../core/event-facts.ts';
import type { EventStore, StoreDescription, StoreRange, StoreSnapshot } from '../core/event-store.ts';
import type { ChunkFormat, Compression, Manifest, ManifestFile } from '../core/manifest.ts';
import type { BackupVerification, Progress } from '../core/report.ts';
import { makeStages, mergeStages, type Stages } from '../core/stages.ts';
import { makeStreamTable, mergeTable, releaseTable, type StreamTable } from '../core/stream-table.ts';
import { timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX, bundleFolder, MANIFEST_NAME } from '../format/bundle.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { writeCompanionsFile, writeHeadsFile } from '../format/line-files.ts';
import { encodeManifest } from '../format/manifest-codec.ts';
import { noEventStore, notSound, removeAttempt } from './attempt.ts';
import { composeManifest } from './manifest.ts';
import { backUpRange, type RangeHooks, type RangeJob, type RangeResult } from './range.ts';

export interface FullBackupPorts {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Runs a range in another thread, which joins the snapshot by its token. Not called for all ranges. */
  readonly runRange?: (snapshotToken: string, job: RangeJob, hooks: RangeHooks) => Promise<RangeResult>;
  /** Checks what was written before the manifest makes it a backup. Left out: no check. */
  readonly verify?: (manifest: Manifest, folder: string) => Promise<BackupVerification>;
}

export interface FullBackupOptions {
  readonly format: ChunkFormat;
  readonly compression: Compression;
  /** Null: the compression's default. */
  readonly level: number | null;
  /** Ranges read at the same time, 1–64. */
  readonly parallel: number;
  readonly chunkBytes: number;
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
}

const DAY_MS = 86_400_000;

/**
 * Backs up all of a store. The manifest is written last, after everything else is durable and (with
 * `ports.verify`) read back and found sound; a failure or an abort before that removes what was written.
 */
export async function takeFullBackup(
  ports: FullBackupPorts,
  options: FullBackupOptions,
): Promise<FullBackupReport> {
  const { store, vault, clock } = ports;
  const source = await store.inspect();
  if (source.state === 'missing') throw noEventStore(store.address);
  await vault.open({ create: true });
  const leftoversRemoved = await vault.removeLeftovers(BACKUPS_PREFIX);
  const backupId = clock.uuid();
  const folder = bundleFolder('full', backupId);
  try {
    const written = await writeFiles(ports, options, folder, source);
    const manifest = composeManifest({ ...written, source, backupId, finishedAtMs: clock.now(), options });
    releaseTable(written.table);
    options.onStep?.('verifying');
    const verification = (await ports.verify?.(manifest, folder)) ?? null;
    if (verification !== null && !verification.overallValid) throw notSound(verification, vault.address);
    throwIfAborted(options.signal);
    await writeObject(vault, folder + MANIFEST_NAME, encodeManifest(manifest));
    return { manifest, folder, verification, leftoversRemoved, stages: written.stages };
  } catch (error) {
    await removeAttempt(vault, folder);
    throw error;
  }
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

async function writeFiles(
  ports: FullBackupPorts,
  options: FullBackupOptions,
  folder: string,
  source: StoreDescription,
): Promise<WrittenFiles> {
  const snapshot = await ports.store.openSnapshot();
  try {
    const startedAtMs = ports.clock.now();
    const limits = { versionBase: source.versionBase, futureAfter: timeFromUnixMs(startedAtMs + DAY_MS) };
    options.onStep?.('reading events');
    const ranges = await readRanges(ports, options, snapshot, { folder, limits });
    const companions = await writeCompanionsFile(ports.vault, folder, options, snapshot.readCompanions());
    const cursor = await snapshot.settledCursor();
    // From here on the store is not needed: a long-lived snapshot would hold back its vacuum.
    await snapshot.close();
    const { table, facts, stages } = mergeResults(ranges);
    const heads = await writeHeadsFile(ports.vault, folder, options, table);
    const files = [...ranges.map((range) => range.file), heads.file, companions].filter(
      (file) => file !== null,
    );
    return { startedAtMs, files, facts, table, stages, headsDigest: heads.digest, cursor };
  } finally {
    await snapshot.close();
  }
}

async function readRanges(
  ports: FullBackupPorts,
  options: FullBackupOptions,
  snapshot: StoreSnapshot,
  common: Pick<RangeJob, 'folder' | 'limits'>,
): Promise<RangeResult[]> {
  const estimate = await snapshot.estimate();
  const ranges = await snapshot.planRanges(options.parallel);
  const done = { events: 0, bytes: 0 };
  const onProgress = (events: number, bytes: number): void => {
    done.events += events;
    done.bytes += bytes;
    options.onProgress?.({ ...done, totalEvents: estimate.events, totalBytes: estimate.bytes });
  };
  const { format, compression, level, chunkBytes } = options;
  const { token } = snapshot;
  // All of a small store is read sooner than a thread for it has started.
  const runRange = ranges.length === 1 ? undefined : ports.runRange;
  const readOne = (range: StoreRange, signal: AbortSignal): Promise<RangeResult> => {
    const job: RangeJob = { ...common, range, format, compression, level, chunkBytes };
    const hooks: RangeHooks = { onProgress, signal };
    const isShared = token !== null && runRange !== undefined;
    // This thread reads a range too where it has nothing else to do: all that is needed is loaded here.
    if (isShared && (range.index > 0 || snapshot.servesJoined)) return runRange(token, job, hooks);
    const compressIn = isShared ? 'inline' : 'pool';
    return backUpRange({ reader: snapshot, vault: ports.vault, compressIn }, job, hooks);
  };
  return runLimited(ranges, token === null ? 1 : options.parallel, readOne, options.signal);
}

function mergeResults(ranges: readonly RangeResult[]): Pick<WrittenFiles, 'table' | 'facts' | 'stages'> {
  const table = ranges[0]?.table ?? makeStreamTable();
  const facts = makeFacts();
  const stages = makeStages();
  ranges.forEach((range, i) => {
    mergeFacts(facts, range.facts);
    mergeStages(stages, range.stages);
    if (i === 0) return;
    mergeTable(table, range.table);
    releaseTable(range.table);
  });
  return { table, facts, stages };
}
