import type { Clock } from '../../core/clock.ts';
import { type BackupError, isBackupError } from '../../core/errors.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import type { VerifiedUnit } from '../../core/verified.ts';
import {
  MAX_RECORD_UNITS,
  VERIFIED_PREFIX,
  type VerifiedRecord,
  writeVerified,
} from '../../format/verified-record.ts';

/** Writes down, while a verification runs, what it found. */
export interface Recorder {
  note(unit: VerifiedUnit): void;
  /** Writes what is not written yet. A vault that refuses is no failure. */
  end(): Promise<void>;
}

export interface RecorderOptions {
  readonly software: string;
  /** What was found waits no longer than this. */
  readonly flushMs?: number;
  /** The vault takes no record; told once, and nothing more is written. */
  readonly onRefused: (error: BackupError) => void;
}

const FLUSH_MS = 3000;

/** Units by the folder that they lie in: what is said of a whole backup takes the place of what was said of its files. */
type Folders = Map<string, Map<string, VerifiedUnit>>;

/**
 * Each flush is an object of its own, so a run that is killed loses the last few seconds. When a run ends, one record says all that
 * several said: they are needless then.
 */
export function makeRecorder(
  { vault, clock }: { readonly vault: Vault; readonly clock: Clock },
  { software, flushMs = FLUSH_MS, onRefused }: RecorderOptions,
): Recorder {
  let waiting: Folders = new Map();
  const all: Folders = new Map();
  let records = 0;
  let refused = false;
  let failure: unknown = null;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  const write = async (units: readonly VerifiedUnit[]): Promise<void> => {
    try {
      for (const record of asRecords(units, software, clock)) {
        if (refused) return;
        if (records === 0) await clearLeftovers(vault);
        await writeVerified(vault, record);
        records += 1;
      }
    } catch (error) {
      refused = true;
      if (isBackupError(error)) onRefused(error);
      else failure = error;
    }
  };
  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const units = flatten(waiting);
    waiting = new Map();
    writing = writing.then(() => write(units));
  };
  return {
    note: (unit) => {
      put(waiting, unit);
      put(all, unit);
      timer ??= setTimeout(flush, flushMs).unref();
    },
    end: async () => {
      flush();
      await writing;
      const units = flatten(all);
      if (records > Math.ceil(units.length / MAX_RECORD_UNITS)) await write(units);
      if (failure !== null) throw failure;
    },
  };
}

/** What killed runs left; that this user may not look for it keeps nothing from being written. */
async function clearLeftovers(vault: Vault): Promise<void> {
  try {
    await vault.removeLeftovers(VERIFIED_PREFIX);
  } catch (error) {
    if (!isBackupError(error)) throw error;
  }
}

function put(folders: Folders, unit: VerifiedUnit): void {
  const folder = unit.name.slice(0, unit.name.lastIndexOf('/') + 1);
  const known = folders.get(folder);
  if (known === undefined || folder === unit.name) folders.set(folder, new Map([[unit.name, unit]]));
  else known.set(unit.name, unit);
}

function flatten(folders: Folders): VerifiedUnit[] {
  return [...folders.values()].flatMap((units) => [...units.values()]);
}

function asRecords(units: readonly VerifiedUnit[], software: string, clock: Clock): VerifiedRecord[] {
  const records: VerifiedRecord[] = [];
  for (let at = 0; at < units.length; at += MAX_RECORD_UNITS) {
    records.push({
      ...{ recordId: clock.uuid(), recordedAt: formatTime(timeFromUnixMs(clock.now()), 3), software },
      units: units.slice(at, at + MAX_RECORD_UNITS),
    });
  }
  return records;
}
