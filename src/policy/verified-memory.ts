import type { Manifest } from '../core/manifest.ts';
import type { Rung } from '../core/rungs.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import type { VerifiedUnit } from '../core/verified.ts';
import { CLOCK_SLACK_MS, type Decision } from './retention-facts.ts';

/** What is remembered of the verifications of a vault: of each thing the newest, by `memoryKey`. */
export type VerifiedMemory = ReadonlyMap<string, Remembered>;

export interface Remembered {
  readonly atMs: number;
  readonly passed: readonly Rung[];
  readonly failed: readonly Rung[];
}

/** A backup, as far as its files and their digests go. */
export interface BackupFiles {
  readonly folder: string;
  readonly manifest: Pick<Manifest, 'checksum' | 'files'>;
}

/** What is known of a file or a backup. */
export interface VerifiedState {
  /** Null when it, or a file of it, never was. */
  readonly verifiedAtMs: number | null;
  /** What was found last; null where nothing is known. */
  readonly isSound: boolean | null;
}

const NEVER: VerifiedState = { verifiedAtMs: null, isSound: null };

/** What was found of other content under the same name says nothing. */
function memoryKey(name: string, digest: string | null): string {
  return `${name} ${digest}`;
}

export function foldVerified(units: Iterable<VerifiedUnit>, nowMs: number): VerifiedMemory {
  const memory = new Map<string, Remembered>();
  for (const unit of units) {
    const remembered = weigh(unit, nowMs);
    if (remembered === null) continue;
    const key = memoryKey(unit.name, unit.digest);
    if ((memory.get(key)?.atMs ?? Number.NEGATIVE_INFINITY) <= remembered.atMs) memory.set(key, remembered);
  }
  return memory;
}

/** What lies in the future is never praise; blame counts as of now. So no clock that is wrong hides damage, or what was not looked at. */
function weigh({ verifiedAt, passed, failed }: VerifiedUnit, nowMs: number): Remembered | null {
  const atMs = Date.parse(verifiedAt);
  if (atMs <= nowMs + CLOCK_SLACK_MS) return { atMs: Math.min(atMs, nowMs), passed, failed };
  return failed.length === 0 ? null : { atMs: nowMs, passed: [], failed };
}

type FileDigest = Pick<Manifest['files'][number], 'name' | 'sha256'>;

/** What is known of a data file: the newest of what was found of it alone and of its whole backup. */
export function stateOfFile(memory: VerifiedMemory, backup: BackupFiles, file: FileDigest): VerifiedState {
  return asState(rememberedOfFile(memory, backup, file));
}

function rememberedOfFile(
  memory: VerifiedMemory,
  { folder, manifest }: BackupFiles,
  { name, sha256 }: FileDigest,
): Remembered | undefined {
  const alone = memory.get(memoryKey(folder + name, sha256));
  const whole = memory.get(memoryKey(folder, manifest.checksum));
  return alone !== undefined && alone.atMs > (whole?.atMs ?? Number.NEGATIVE_INFINITY) ? alone : whole;
}

export function stateOfLogFile(memory: VerifiedMemory, name: string): VerifiedState {
  return asState(memory.get(memoryKey(name, null)));
}

function asState(remembered: Remembered | undefined): VerifiedState {
  if (remembered === undefined) return NEVER;
  return { verifiedAtMs: remembered.atMs, isSound: remembered.failed.length === 0 };
}

/** What a file shows without the others of its backup. */
const FILE_RUNGS: ReadonlySet<Rung> = new Set(['existence', 'size', 'checksum', 'decode']);

/** A backup is as sound as the worst of its files, and was verified when the last of them was. */
export function stateOfBackup(memory: VerifiedMemory, backup: BackupFiles): VerifiedState {
  const files = backup.manifest.files.map((file) => stateOfFile(memory, backup, file));
  const whole = memory.get(memoryKey(backup.folder, backup.manifest.checksum));
  // What no single file showed, no single file takes back.
  const isCondemned = whole?.failed.some((rung) => !FILE_RUNGS.has(rung)) === true;
  const times = files.length === 0 ? [whole?.atMs ?? null] : files.map(({ verifiedAtMs }) => verifiedAtMs);
  const verifiedAtMs = times.reduce((oldest, time) =>
    oldest === null || time === null ? null : Math.min(oldest, time),
  );
  const isUnsound = isCondemned || files.some(({ isSound }) => isSound === false);
  return { verifiedAtMs, isSound: isUnsound ? false : verifiedAtMs === null ? null : true };
}

/** A part of a vault that is verified by itself: a data file of a backup with its chunk table, or a file of a log. */
export interface UnitFacts extends VerifiedState {
  /** Whole name of the object. */
  readonly name: string;
  /** Folder of the backup; null of a file of a log. */
  readonly backup: string | null;
  readonly sizeBytes: number;
  readonly writtenAtMs: number;
  /** What its newest verification proved; none where it never was verified. */
  readonly passed: readonly Rung[];
}

interface LogFiles {
  readonly spans: readonly {
    readonly files: readonly {
      readonly name: string;
      readonly sizeBytes: number;
      readonly modifiedAtMs: number;
    }[];
  }[];
}

type Backup = BackupFiles & { readonly manifest: Pick<Manifest, 'createdAt'> };

/** All that is to be verified, and what is known of it. */
export function unitsOf(
  memory: VerifiedMemory,
  backups: readonly Backup[],
  logs: readonly LogFiles[],
): UnitFacts[] {
  const files = backups.flatMap((backup) => {
    const writtenAtMs = timeToUnixMs(parseTime(backup.manifest.createdAt) ?? 0n);
    return backup.manifest.files.map((file): UnitFacts => {
      const place = { name: backup.folder + file.name, backup: backup.folder, writtenAtMs };
      const sizeBytes = file.sizeBytes + file.index.sizeBytes;
      return { ...place, sizeBytes, ...factsOf(rememberedOfFile(memory, backup, file)) };
    });
  });
  const logFiles = logs.flatMap(({ spans }) =>
    spans.flatMap((span) =>
      span.files.map(({ name, sizeBytes, modifiedAtMs }): UnitFacts => {
        const place = { name, backup: null, writtenAtMs: modifiedAtMs };
        return { ...place, sizeBytes, ...factsOf(memory.get(memoryKey(name, null))) };
      }),
    ),
  );
  return [...files, ...logFiles];
}

function factsOf(remembered: Remembered | undefined): VerifiedState & Pick<UnitFacts, 'passed'> {
  return { ...asState(remembered), passed: remembered?.passed ?? [] };
}

export interface RecordFacts {
  readonly name: string;
  readonly sizeBytes: number;
  /** Null where it cannot be read. */
  readonly units: readonly VerifiedUnit[] | null;
}

/**
 * Which records of verifications a vault can do without: those that say nothing of what is here that newer ones, or the record of
 * a whole backup, do not say too.
 */
export function planRecords(
  records: readonly RecordFacts[],
  backups: readonly BackupFiles[],
  logs: readonly LogFiles[],
  nowMs: number,
): Decision<RecordFacts>[] {
  const memory = foldVerified(
    records.flatMap(({ units }) => units ?? []),
    nowMs,
  );
  const folders = new Map(
    backups.map((backup) => [backup.folder, memoryKey(backup.folder, backup.manifest.checksum)]),
  );
  const here = new Map<string, string | null>([
    ...[...folders.values()].map((key): [string, null] => [key, null]),
    ...backups.flatMap(({ folder, manifest }) =>
      manifest.files.map(({ name, sha256 }): [string, string] => [
        memoryKey(folder + name, sha256),
        folders.get(folder)!,
      ]),
    ),
    ...logs.flatMap(({ spans }) =>
      spans.flatMap(({ files }) => files.map(({ name }): [string, null] => [memoryKey(name, null), null])),
    ),
  ]);
  const said = new Set<string>();
  // The newest record that says something is the one that stays for it.
  const decided = records.toReversed().map((record): Decision<RecordFacts> => {
    if (record.units === null) return keepUnread(record);
    const needed = record.units.filter((unit) => isNews(unit, { memory, here, said, nowMs }));
    for (const { name, digest } of needed) said.add(memoryKey(name, digest));
    return needed.length > 0
      ? { item: record, kept: true, reasons: [`the newest word on ${needed.length} of what is here`] }
      : { item: record, kept: false, reasons: ['newer records say it, or what it is about is gone'] };
  });
  return decided.reverse();
}

function keepUnread(item: RecordFacts): Decision<RecordFacts> {
  return { item, kept: true, reasons: ['it cannot be read: nobody knows what it says'] };
}

interface Told {
  readonly memory: VerifiedMemory;
  /** Keys of all that is in the vault, each with that of its whole backup. */
  readonly here: ReadonlyMap<string, string | null>;
  readonly said: ReadonlySet<string>;
  readonly nowMs: number;
}

function isNews(unit: VerifiedUnit, { memory, here, said, nowMs }: Told): boolean {
  const key = memoryKey(unit.name, unit.digest);
  const whole = here.get(key);
  if (whole === undefined || said.has(key)) return false;
  const remembered = memory.get(key);
  if (remembered === undefined || weigh(unit, nowMs)?.atMs !== remembered.atMs) return false;
  return whole === null || (memory.get(whole)?.atMs ?? Number.NEGATIVE_INFINITY) < remembered.atMs;
}
