import { type ChangeFeed, NEW_LOG } from '../core/change-feed.ts';
import type { Clock } from '../core/clock.ts';
import { BackupError, type BackupErrorOptions, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { UnderLease } from '../core/lease.ts';
import { pause } from '../core/pause.ts';
import type { Vault } from '../core/vault.ts';
import { isSealing, plainInSealed, refusePlain, type WriteKeys } from '../format/bundle-seal.ts';
import { LOG_PREFIX, logFolder, positionText } from '../format/log-name.ts';
import { backOffMs } from './back-off.ts';
import { markGap } from './gaps.ts';
import { findLogEnd, type LogEnd } from './log-end.ts';
import { type LogSealer, makeLogSealer } from './log-seal.ts';
import { type CaptureOptions, capture } from './session.ts';
import { type LogSink, vaultSink } from './sink.ts';
import { type Spool, spoolingSink } from './spool.ts';
import { type ArchiveProgress, type ArchiveStatus, makeProgress } from './status.ts';
import { makeUpkeep, type StartUpkeep, warnOfFullDisk } from './upkeep.ts';

export interface ArchivePorts {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Sees to it that the log carries on a backup; takes one where there is none. Called once one can be met. */
  readonly ensureBase?: (reason: string) => Promise<void>;
  /** Left out, or without recipients: nothing is sealed, and a sealed vault is refused. */
  readonly keys?: WriteKeys;
  /** Files are joined, and parts removed, under it alone; left out: nobody else does that in this vault. */
  readonly underLease?: UnderLease;
}

/** What to do while the vault cannot be written. */
export type Outage =
  /** The store keeps what was not archived, as long as it takes. */
  | { readonly policy: 'hold' }
  /** Files are put aside in another vault, up to this size; behind that as `hold`. */
  | { readonly policy: 'spool'; readonly vault: Vault; readonly limitBytes: number }
  /** The store keeps up to this much. Behind that it is let go, and the log gets a gap. */
  | { readonly policy: 'drop'; readonly limitBytes: number };

export interface ArchiveOptions extends Omit<CaptureOptions, 'until' | 'sealer'> {
  /** Name and version of this program, for the records of keys. */
  readonly software: string;
  readonly outage: Outage;
  /** Ends once everything is in the vault that was committed when it began; failures end it too. */
  readonly once: boolean;
  readonly onStatus?: (status: ArchiveStatus) => void;
  /** What somebody should know: gaps, outages and their ends. */
  readonly onNote?: (note: ArchiveNote) => void;
}

export interface ArchiveNote {
  readonly message: string;
  readonly isGrave: boolean;
  readonly facts: NonNullable<BackupErrorOptions['facts']>;
}

interface Run extends ArchivePorts {
  readonly options: ArchiveOptions;
  readonly progress: ArchiveProgress;
  readonly spool: Spool | null;
  readonly sink: LogSink;
  readonly sealer: LogSealer;
  readonly startUpkeep: StartUpkeep;
  /** By `performance.now()`. */
  readonly startedAtMs: number;
  /** What this run has seen of its log: not there yet, begun by this run, or there. */
  seen: 'nothing' | 'begun' | 'log';
  /** Of the log that this run has written to: from then on it need not look through the rest of the vault. */
  folder: string | null;
  /** Why the feed could not go on, until something is captured again. */
  lost: BackupError | null;
  note(message: string, isGrave: boolean, facts?: ArchiveNote['facts']): void;
}

/** A refusal within this time of the start, before anything was written, ends the run. */
const START_MS = 60_000;

/**
 * Copies what a store commits into the change log of a vault, until the signal fires (`interrupted`) or, with `once`, until
 * it has caught up. What may pass is waited out: it begins again where the log in the vault ends.
 */
export async function archive(ports: ArchivePorts, options: ArchiveOptions): Promise<ArchiveStatus> {
  const progress = makeProgress(options.onStatus ?? (() => undefined));
  const { outage } = options;
  const spool = outage.policy === 'spool' ? spoolingSink(ports.vault, outage, progress) : null;
  const note: Run['note'] = (message, isGrave, facts = {}) => options.onNote?.({ message, isGrave, facts });
  const run: Run = {
    ...{
      ...ports,
      options,
      progress,
      spool,
      sink: spool ?? vaultSink(ports.vault),
      sealer: makeLogSealer(ports.vault, ports.clock, options.software, ports.keys),
      startUpkeep: makeUpkeep({ ...ports, progress, signal: options.signal, note }),
      startedAtMs: performance.now(),
      seen: 'nothing',
      folder: null,
      lost: null,
    },
    note,
  };
  try {
    for (let failures = 0; ; ) {
      const before = progress.status().files;
      const failure = await captureOnce(run);
      if (failure === null) break;
      failures = progress.status().files > before ? 1 : failures + 1;
      await waitOut(run, failure, failures);
    }
  } finally {
    progress.set({ state: 'stopped' });
  }
  return progress.status();
}

/** Null when the log has caught up and that was all that was wanted; else the failure, if it may pass. */
async function captureOnce(run: Run): Promise<BackupError | null> {
  try {
    await runSession(run);
    return null;
  } catch (error) {
    throwIfAborted(run.options.signal);
    if (isBackupError(error, 'feed_lost') && run.lost === null) {
      run.lost = error;
      return captureOnce(run);
    }
    if (run.options.once || !isBackupError(error) || !mayPass(run, error)) throw error;
    return error;
  }
}

function mayPass({ progress, startedAtMs }: Run, { code, retryable }: BackupError): boolean {
  // Another archiver may have taken over; two that wait for one another would never end.
  if (code === 'lease_held') return false;
  if (code !== 'vault_refused') return retryable;
  // A vault that never took anything is a mistake; one that did was changed under way, as by rights or a mount.
  return progress.status().files > 0 || performance.now() - startedAtMs > START_MS;
}

async function waitOut(run: Run, failure: BackupError, failures: number): Promise<void> {
  const { options, progress } = run;
  const pauseMs = backOffMs(failures);
  // What refuses does not get well by itself: somebody has to hear of it.
  if (progress.status().trouble !== failure.message || failure.code === 'vault_refused') {
    const hint = failure.hint === null ? '' : ` (${failure.hint})`;
    run.note(`${failure.message}${hint}; trying again until it works`, true, {
      code: failure.code,
      failures,
    });
  }
  progress.set({ state: 'waiting', trouble: failure.message });
  try {
    await letGo(run);
    await warnOfFullDisk(run);
  } catch (error) {
    // The store may be what is waited for.
    if (!isBackupError(error)) throw error;
  }
  await pause(pauseMs, options.signal);
  throwIfAborted(options.signal);
}

/** With `drop`: the store's disk is worth more than an unbroken log. */
async function letGo({ store, options: { outage }, note }: Run): Promise<void> {
  if (outage.policy !== 'drop') return;
  const state = await store.feedState();
  if (state === null || (state.retainedBytes ?? 0) <= outage.limitBytes) return;
  await store.dropFeed();
  note('the store keeps no more changes for the log: it will have a gap', true, {
    retainedBytes: state.retainedBytes,
    limitBytes: outage.limitBytes,
  });
}

/** With a spool a session may begin while the vault is away; what waits there then tells whether the log is sealed. */
async function refusePlainLog({ vault, spool }: Run): Promise<void> {
  try {
    await refusePlain(vault);
  } catch (error) {
    if (spool === null || !isBackupError(error, 'vault_unreachable')) throw error;
  }
}

async function runSession(run: Run): Promise<void> {
  const { store, vault, keys, options, progress, spool, sink, sealer } = run;
  // Asked of the whole vault once: what it answers holds for what this run has written, too.
  if (!isSealing(keys) && run.folder === null) await refusePlainLog(run);
  await spool?.drain();
  await vault.removeLeftovers(run.folder ?? LOG_PREFIX);
  const end = await findEnd(run);
  if (!isSealing(keys) && end?.isSealed === true) throw plainInSealed(vault, logFolder(end.source));
  if (end === null) await requireNew(run);
  run.seen = end === null ? 'begun' : 'log';
  const before = options.once ? await store.feedState() : null;
  const opened = await openFeed(run, end);
  const { feed, begin } = opened;
  try {
    // Of a store that had none before, a feed that is open can tell: without an end, one that is busy would never be caught up with.
    const until = options.once ? ((before ?? (await store.feedState()))?.position ?? null) : undefined;
    if (progress.status().trouble !== null) run.note('the log goes on', false);
    progress.set({ state: 'capturing', trouble: null, log: logFolder(feed.source) });
    // Now, while the vault is known to be there: what waits in a spool later needs the key's record.
    await sealer.sealFor(logFolder(feed.source));
    const upkeep = run.startUpkeep(feed.source, opened.baseWanted);
    try {
      const sealed = { ...options, sealer };
      await capture(feed, sink, begin, until === undefined ? sealed : { ...sealed, until }, {
        ...progress,
        wrote: (file) => {
          run.folder = logFolder(feed.source);
          progress.wrote(file);
        },
        reached: (batch, lagMs) => {
          run.lost = null;
          progress.reached(batch, lagMs);
          upkeep.reached(feed.source.kind !== 'postgres' || batch.horizon !== null);
        },
      });
      if (options.once) upkeep.now();
    } finally {
      await upkeep.end();
    }
  } finally {
    await feed.close();
  }
}

async function findEnd({ vault, spool, keys, folder }: Run): Promise<LogEnd | null> {
  const own = folder === null ? null : await findLogEnd(vault, spool, keys, folder);
  return own ?? findLogEnd(vault, spool, keys);
}

/**
 * An empty vault is one in which a log may begin, or the folder where one is mounted as a rule. To begin anew would make the
 * store forget what it keeps for the log that is elsewhere.
 */
async function requireNew({ store, vault, seen }: Run): Promise<void> {
  if (seen === 'begun') return;
  if (seen === 'log') {
    throw new BackupError('vault_unreachable', `the log is no longer in ${vault.address}`, {
      hint: 'is the vault mounted?',
    });
  }
  const state = await store.feedState();
  if (state?.acknowledged == null) return;
  throw new BackupError(
    'would_overwrite',
    `${store.address} keeps changes for a log, and in ${vault.address} there is none`,
    {
      hint: 'name the vault of that log (is it mounted?); to begin a new log instead, first run `eventcore archive --drop-slot`',
      facts: { acknowledged: positionText(state.acknowledged), retainedBytes: state.retainedBytes },
    },
  );
}

/** The archiver that began the log, or went on behind a gap, may have died before there was a backup. */
const NOT_MET = 'no backup is carried on by the log';

interface Opened {
  readonly feed: ChangeFeed;
  readonly begin: { readonly from: bigint; readonly digest: string | null };
  /** Why there may be no backup that the log carries on. */
  readonly baseWanted: string;
}

async function openFeed(run: Run, end: LogEnd | null): Promise<Opened> {
  const { store } = run;
  if (end === null) {
    const feed = await store.openFeed(NEW_LOG);
    return { feed, begin: { from: feed.from, digest: null }, baseWanted: 'the log begins' };
  }
  const { position: resumeAt, source, lastEventId } = end;
  if (run.lost !== null) return openBehindGap(run, end, run.lost);
  try {
    const feed = await store.openFeed({ resumeAt, source, lastEventId });
    return { feed, begin: { from: resumeAt, digest: end.digest }, baseWanted: NOT_MET };
  } catch (error) {
    if (!isBackupError(error, 'feed_lost')) throw error;
    return openBehindGap(run, end, error);
  }
}

/** The changes in between are lost to the log; that is written down before anything behind them. */
async function openBehindGap(run: Run, end: LogEnd, lost: BackupError): Promise<Opened> {
  const { store, vault, clock, progress, note } = run;
  const feed = await store.openFeed({ ...NEW_LOG, source: end.source });
  try {
    const gap = await markGap(vault, end, feed, lost, clock.now());
    progress.set({ gaps: progress.status().gaps + 1 });
    const hint = lost.hint === null ? '' : ` (${lost.hint})`;
    note(`the log has a gap: ${lost.message}${hint}`, true, {
      ...lost.facts,
      gapFrom: positionText(gap.from),
      gapTo: positionText(gap.to),
    });
    return { feed, begin: { from: feed.from, digest: null }, baseWanted: `there is a gap: ${lost.message}` };
  } catch (error) {
    await feed.close();
    throw error;
  }
}
