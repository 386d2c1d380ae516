import type { Clock } from '../core/clock.ts';
import { throwIfAborted } from '../core/errors.ts';
import type { UnderLease } from '../core/lease.ts';
import type { Manifest } from '../core/manifest.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME, parseBundleName } from '../format/bundle.ts';
import { type Catalog, type CatalogEntry, readCatalog } from '../format/catalog.ts';
import { followChain, inChainOrder, isBroken } from '../format/chain.ts';
import { DRILLS_PREFIX } from '../format/drill-evidence.ts';
import { EPOCHS_PREFIX } from '../format/epoch.ts';
import { HOLDS_PREFIX } from '../format/keep-marks.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { readLogCatalog } from '../format/log-catalog.ts';
import { LOG_PREFIX } from '../format/log-name.ts';
import { planSync, type SyncCandidate, type SyncDecision } from '../policy/sync-plan.ts';
import { copyChecked } from './copy-checked.ts';
import { measureLag, type VaultLag } from './lag.ts';
import { recordCheck } from './object-check.ts';
import { filesOf, syncBundle } from './sync-bundle.ts';
import { syncEvidence } from './sync-evidence.ts';
import { type LogOutcome, missingFiles, syncLogs } from './sync-logs.ts';
import { note, type RunCopy, type SyncProblem, type SyncRun } from './sync-run.ts';

export interface SyncPorts {
  readonly source: Vault;
  readonly target: Vault;
  readonly clock: Clock;
  /** Of the target. */
  readonly underLease: UnderLease;
  /**
   * Copies a data file or its table (`copyObject`) from the source to the target, wherever there is somebody to do it, and may do it
   * again. Left out: this process does.
   */
  readonly runCopy?: RunCopy;
}

/** What the target's own retention would keep. */
export interface SyncRules {
  keepsBackup(manifest: Pick<Manifest, 'backupId'>): boolean;
  /** Of files of the log, marks of gaps and key records, by their whole names. */
  keepsLogObject(name: string): boolean;
}

export interface SyncOptions {
  /** Left out: all is copied. */
  readonly rules?: SyncRules;
  /** Only these backups, and no log. */
  readonly only?: ReadonlySet<string>;
  /** The target is an archive tier: what is written to it may not be read there. */
  readonly isArchive?: boolean;
  readonly dryRun?: boolean;
  readonly parallel?: number;
  /** Every copy is read from the target again. */
  readonly readBack?: boolean;
  readonly onBackup?: (backupId: string) => void;
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface SyncReport {
  /** With `dryRun`: what would be. */
  readonly copied: readonly string[];
  /** Left out, since the target's rules would remove them at once. */
  readonly left: readonly string[];
  readonly objects: number;
  readonly bytes: number;
  readonly log: LogOutcome;
  /** What was not copied, or cannot be right. The rest was. */
  readonly problems: readonly SyncProblem[];
  /** Null for an archive tier. */
  readonly lag: VaultLag | null;
}

/** Objects at a time: more gain little, and each holds two pieces in memory. */
const PARALLEL = 3;
/** Written once, and readable by their own checksum. */
const RECORD_PREFIXES = [EPOCHS_PREFIX, HOLDS_PREFIX];

/**
 * Brings a vault up to date with another: copies what it lacks, backups after what they build on, and proves every byte on the
 * way. Needs no key, overwrites nothing, and removes nothing but files of the log that longer ones hold. It may be ended
 * anywhere: what is there is whole, and the next run goes on.
 */
export async function syncVault(ports: SyncPorts, options: SyncOptions = {}): Promise<SyncReport> {
  const { source, target, clock, underLease, runCopy } = ports;
  const run: SyncRun = {
    ...{ source, target, clock, underLease, ...(runCopy === undefined ? {} : { runCopy }) },
    ...{ parallel: options.parallel ?? PARALLEL, readBack: options.readBack === true },
    isArchive: options.isArchive === true,
    ...{ signal: options.signal, problems: [], twins: new Map(), there: await listThere(target) },
    onBytes: options.onBytes ?? (() => undefined),
    keepsLogObject: options.rules?.keepsLogObject ?? (() => true),
  };
  const catalog = await readCatalog(source);
  const decisions = planSync(candidatesOf(run, catalog, options));
  const isLogged = options.only === undefined;
  const done =
    options.dryRun === true ? await foresee(run, decisions, isLogged) : await act(run, decisions, options);
  for (const { backupId, folder, message } of isLogged ? catalog.damaged : []) {
    if (!run.there.has(folder + MANIFEST_NAME)) note(run, backupId, null, 'source', message);
  }
  const newest = (isIn: (entry: CatalogEntry) => boolean): Manifest | null =>
    catalog.backups.findLast((entry) => isIn(entry) && isWhole(catalog, entry))?.manifest ?? null;
  const lag = isLogged
    ? await measureLag(
        { vault: source, newest: newest(() => true) },
        { vault: target, newest: newest(({ folder }) => run.there.has(folder + MANIFEST_NAME)) },
      )
    : null;
  return { ...done, left: idsOf(decisions, 'leave'), problems: run.problems, lag };
}

async function listThere(target: Vault): Promise<Map<string, number>> {
  const there = new Map<string, number>();
  for (const prefix of [BACKUPS_PREFIX, LOG_PREFIX, DRILLS_PREFIX, ...RECORD_PREFIXES]) {
    for await (const { name, sizeBytes } of target.list(prefix)) there.set(name, sizeBytes);
  }
  return there;
}

interface Candidate extends SyncCandidate {
  readonly entry: CatalogEntry;
}

function candidatesOf(run: SyncRun, catalog: Catalog, { rules, only }: SyncOptions): Candidate[] {
  return inChainOrder(catalog.backups)
    .filter(({ manifest }) => only?.has(manifest.backupId) ?? true)
    .map((entry) => {
      const { backupId, parentId } = entry.manifest;
      const chain = followChain(catalog, entry);
      return {
        ...{ entry, backupId, parentId, broken: isBroken(chain) ? chain.message : null },
        isThere: run.there.has(entry.folder + MANIFEST_NAME),
        isKept: rules?.keepsBackup(entry.manifest) ?? true,
      };
    });
}

function isWhole(catalog: Catalog, entry: CatalogEntry): boolean {
  return !isBroken(followChain(catalog, entry));
}

function idsOf(decisions: readonly SyncDecision<Candidate>[], action: string): string[] {
  return decisions
    .filter((decision) => decision.action === action)
    .map(({ candidate }) => candidate.backupId);
}

type Done = Pick<SyncReport, 'copied' | 'objects' | 'bytes' | 'log'>;

async function act(
  run: SyncRun,
  decisions: readonly SyncDecision<Candidate>[],
  { only, onBackup }: SyncOptions,
): Promise<Done> {
  const records = await keyRecordsOf(run.source);
  const done = { copied: [] as string[], objects: 0, bytes: 0 };
  const absent = new Set<string>();
  for (const { candidate, action, reason } of decisions) {
    throwIfAborted(run.signal);
    const { backupId, parentId, entry } = candidate;
    if (action === 'leave') continue;
    if (action === 'refuse') note(run, backupId, null, 'source', reason);
    const isOrphan = action === 'copy' && parentId !== null && absent.has(parentId);
    if (isOrphan) note(run, backupId, null, 'target', `${parentId}, which it builds on, was not copied`);
    if (action === 'refuse' || isOrphan) {
      absent.add(backupId);
      continue;
    }
    if (action === 'copy') onBackup?.(backupId);
    const outcome = await syncBundle(run, entry, records.get(entry.folder) ?? []);
    done.objects += outcome.objects;
    done.bytes += outcome.bytes;
    if (!outcome.isWhole) {
      absent.add(backupId);
      await forgiveRemoved(run, entry);
    } else if (action === 'copy') done.copied.push(backupId);
  }
  if (only !== undefined) return { ...done, log: NO_LOG };
  const others = [await syncRecords(run), await syncEvidence(run)];
  const log = await syncLogs(run);
  return {
    ...done,
    objects: done.objects + sum(others.map(({ objects }) => objects)),
    bytes: done.bytes + sum(others.map(({ bytes }) => bytes)),
    log,
  };
}

/** What was removed from the source meanwhile, manifest first, is no problem. */
async function forgiveRemoved(
  { source, problems }: SyncRun,
  { folder, manifest }: CatalogEntry,
): Promise<void> {
  if ((await source.stat(folder + MANIFEST_NAME)) !== null) return;
  const others = problems.filter(({ of, where }) => of !== manifest.backupId || where !== 'source');
  problems.splice(0, problems.length, ...others);
}

const NO_LOG: LogOutcome = { objects: 0, bytes: 0, removed: 0 };

/** By folder. Later ones say who may open a backup now. */
async function keyRecordsOf(source: Vault): Promise<Map<string, string[]>> {
  const records = new Map<string, string[]>();
  for await (const { name } of source.list(BACKUPS_PREFIX)) {
    const folder = parseBundleName(name)?.folder;
    if (folder === undefined || parseKeyRecordName(name.slice(folder.length)) === null) continue;
    records.set(folder, [...(records.get(folder) ?? []), name]);
  }
  return records;
}

async function syncRecords(run: SyncRun): Promise<{ objects: number; bytes: number }> {
  const { source, target, there, signal, readBack, onBytes } = run;
  const copied = { objects: 0, bytes: 0 };
  for (const { name } of await missingRecords(run)) {
    throwIfAborted(signal);
    const outcome = await copyChecked(source, target, name, recordCheck, { readBack, onBytes, signal });
    if (outcome.state === 'unsound') note(run, name, name, 'source', outcome.reason);
    if (outcome.state !== 'copied') continue;
    there.set(name, outcome.sizeBytes);
    copied.objects += 1;
    copied.bytes += outcome.sizeBytes;
  }
  return copied;
}

async function missingRecords({ source, there }: SyncRun): Promise<ObjectInfo[]> {
  const missing: ObjectInfo[] = [];
  for (const prefix of RECORD_PREFIXES) {
    for await (const info of source.list(prefix)) if (!there.has(info.name)) missing.push(info);
  }
  return missing;
}

/** What a run would do, told by names and sizes. */
async function foresee(
  run: SyncRun,
  decisions: readonly SyncDecision<Candidate>[],
  isLogged: boolean,
): Promise<Done> {
  const sizes: number[] = [];
  for (const { candidate, action, reason } of decisions) {
    if (action === 'refuse') note(run, candidate.backupId, null, 'source', reason);
    if (action !== 'copy' && action !== 'complete') continue;
    for (const { name, sizeBytes } of filesOf(candidate.entry))
      if (!run.there.has(name)) sizes.push(sizeBytes);
    if (action === 'copy') sizes.push(candidate.entry.manifestBytes);
  }
  const copied = { copied: idsOf(decisions, 'copy'), objects: sizes.length, bytes: sum(sizes) };
  if (!isLogged) return { ...copied, log: NO_LOG };
  const waiting = (await readLogCatalog(run.source)).flatMap((timeline) => missingFiles(run, timeline));
  const bytes = sum(waiting.map(({ sizeBytes }) => sizeBytes));
  return { ...copied, log: { objects: waiting.length, bytes, removed: 0 } };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
