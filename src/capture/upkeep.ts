import type { FeedSource } from '../core/change-feed.ts';
import type { Clock } from '../core/clock.ts';
import { type BackupErrorOptions, isBackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Lease, UnderLease } from '../core/lease.ts';
import type { Vault } from '../core/vault.ts';
import { type LogTimeline, readLogCatalog } from '../format/log-catalog.ts';
import { logFolder } from '../format/log-name.ts';
import { planCompaction, planMarkRemovals } from '../policy/compaction.ts';
import { compactLog } from './compact.ts';
import type { ArchiveProgress } from './status.ts';

export interface UpkeepPorts {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ensureBase?: (reason: string) => Promise<void>;
  readonly underLease?: UnderLease;
  readonly progress: ArchiveProgress;
  readonly signal: AbortSignal | undefined;
  note(message: string, isGrave: boolean, facts?: BackupErrorOptions['facts']): void;
}

/** What is done beside the capture of one session, one thing at a time; it may fail without harm to the log. */
export interface Upkeep {
  reached(hasHorizon: boolean): void;
  /** A run that ends before its time has come leaves files and marks behind too. */
  now(): void;
  /** Waits for what is under way. */
  end(): Promise<void>;
}

export type StartUpkeep = (source: FeedSource, baseWanted: string) => Upkeep;

interface Run extends UpkeepPorts {
  /** Somebody else held the lease when files were to be joined. */
  isPassedOver: boolean;
}

const EVERY_MS = 30_000;
/** Without a backup the log brings nothing back: it is tried again. */
const BASE_RETRY_MS = 300_000;

/** For all sessions of one run: joins files, sees to a base, and watches how much the store keeps. */
export function makeUpkeep(ports: UpkeepPorts): StartUpkeep {
  const run: Run = { ...ports, isPassedOver: false };
  return (source, baseWanted) => startUpkeep(run, source, baseWanted);
}

function startUpkeep(run: Run, source: FeedSource, baseWanted: string): Upkeep {
  let baseDueAtMs = run.ensureBase === undefined ? Number.POSITIVE_INFINITY : performance.now();
  let keptUpAtMs = performance.now();
  let work: Promise<void> | null = null;
  const begin = (what: string, task: () => Promise<void>): void => {
    work = task()
      .catch((error: unknown) => run.note(`${what}: ${String((error as Error).message)}`, true))
      .finally(() => (work = null));
  };
  return {
    reached: (hasHorizon) => {
      if (work !== null) return;
      if (hasHorizon && performance.now() >= baseDueAtMs) {
        baseDueAtMs = performance.now() + BASE_RETRY_MS;
        begin('no backup could be taken for the log', async () => {
          await run.ensureBase!(baseWanted);
          baseDueAtMs = Number.POSITIVE_INFINITY;
        });
      } else if (performance.now() - keptUpAtMs > EVERY_MS) {
        keptUpAtMs = performance.now();
        begin('upkeep of the log failed', () => keepUp(run, source));
      }
    },
    now: () => {
      const before = work ?? Promise.resolve();
      begin('upkeep of the log failed', () => before.then(() => compact(run, source)));
    },
    end: async () => {
      await work;
    },
  };
}

async function keepUp(run: Run, source: FeedSource): Promise<void> {
  await warnOfFullDisk(run);
  await compact(run, source);
}

/** Part of what a store may keep from which on somebody should look. */
const SCARCE = 0.25;

/** What a store throws away because it keeps too much is a gap. */
export async function warnOfFullDisk({
  store,
  progress,
  note,
}: Pick<UpkeepPorts, 'store' | 'progress' | 'note'>): Promise<void> {
  const state = await store.feedState();
  if (state?.retainedBytes == null || state.spareBytes === null) return;
  const { retainedBytes, spareBytes } = state;
  const isScarce = spareBytes < SCARCE * (retainedBytes + spareBytes);
  if (isScarce && !progress.status().isScarce) {
    note('the store keeps nearly as much for the log as it may: behind that it throws it away', true, {
      retainedBytes,
      spareBytes,
    });
  }
  progress.set({ isScarce });
}

async function compact(run: Run, source: FeedSource): Promise<void> {
  const { vault, clock, underLease } = run;
  const timeline = await findTimeline(vault, source);
  // Most of the time there is nothing to do, and a lease costs a few objects.
  if (timeline === null || isNothing(timeline, clock.now())) return;
  if (underLease === undefined) return compactUnder(run, source, null);
  try {
    await underLease((lease) => compactUnder(run, source, lease));
    run.isPassedOver = false;
  } catch (error) {
    if (!isBackupError(error, 'lease_held')) throw error;
    if (!run.isPassedOver) run.note(`log files are joined later: ${error.message}`, false, error.facts);
    run.isPassedOver = true;
  }
}

async function findTimeline(vault: Vault, source: FeedSource): Promise<LogTimeline | null> {
  const folder = logFolder(source);
  return (await readLogCatalog(vault, folder))[0] ?? null;
}

function isNothing(timeline: LogTimeline, nowMs: number): boolean {
  const { joins, removals } = planCompaction(timeline, nowMs);
  return joins.length === 0 && removals.length === 0 && planMarkRemovals(timeline, nowMs).length === 0;
}

/** Another holder may have changed the log since it was looked at. */
async function compactUnder(run: Run, source: FeedSource, lease: Lease | null): Promise<void> {
  const { vault, clock, note, signal } = run;
  const timeline = await findTimeline(vault, source);
  if (timeline === null) return;
  const { failures } = await compactLog(vault, timeline, {
    ...{ nowMs: clock.now(), signal },
    ...(lease === null ? {} : { lease }),
  });
  for (const failure of failures) note(`log files could not be joined: ${failure}`, true);
}
