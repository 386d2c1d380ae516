import type { Clock } from '../core/clock.ts';
import { awaitedLater } from '../core/concurrency.ts';
import { BackupError, throwIfAborted } from '../core/errors.ts';
import type { EventStore, RestoreSession } from '../core/event-store.ts';
import type { Progress } from '../core/report.ts';
import type { StreamTable } from '../core/stream-table.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { assertChain, type Chain } from '../format/chain.ts';
import { readChainHeads } from '../format/chain-heads.ts';
import { addContents, type EnvelopeContents, noContents } from '../format/envelope.ts';
import { readCompanions } from '../format/line-files.ts';
import { type CheckpointOutcome, type CheckpointPolicy, decideCheckpoint } from './checkpoints.ts';
import { compareSummaries } from './compare-summaries.ts';
import {
  type AllowedLoss,
  assertWithoutLog,
  convertedHeads,
  type EnvelopeHandling,
  type Loss,
  lossesOf,
  requireAllowed,
} from './conversion.ts';
import { type EpochOutcome, recordEpoch } from './epoch.ts';
import { greaterId } from './greatest-id.ts';
import { type LoadPorts, loadAll, planLoaders, planLoads } from './load-all.ts';
import type { LoadResult } from './load-chunks.ts';
import { loadWithLog, readTable } from './load-with-log.ts';
import { countTables, requireForeseen } from './losses.ts';
import { planRestore, type RestorePlan } from './plan.ts';
import type { RecoveryPlan } from './plan-recovery.ts';
import { isSnapshotAhead } from './snapshots.ts';

export interface RestorePorts extends LoadPorts {
  readonly target: EventStore;
  readonly vault: Vault;
  readonly clock: Clock;
}

export interface RestoreOptions {
  readonly replace: boolean;
  readonly checkpoints: CheckpointPolicy;
  /** Loaders at the same time, 1–64. */
  readonly parallel: number;
  readonly onProgress?: (progress: Progress) => void;
  /** What is being done, in words. */
  readonly onStep?: (step: string) => void;
  readonly signal?: AbortSignal;
  /** What may be lost where the target is of another layout; left out: nothing. */
  readonly allowLoss?: AllowedLoss;
  /** Left out: `open`. */
  readonly envelopes?: EnvelopeHandling;
  /** A plan for this chain that goes on with a log, or to a point that was asked for. */
  readonly recovery?: RecoveryPlan;
}

export interface RestoreReport {
  readonly plan: RestorePlan;
  readonly epoch: string;
  readonly eventsRestored: number;
  readonly streamsRestored: number;
  /** RFC 3339, when the store became visible. */
  readonly recoveryTime: string;
  readonly durationMs: number;
  readonly dataIntegrityVerified: true;
  readonly checkpoints: readonly CheckpointOutcome[];
  /** Command snapshots that knew of events behind the point, and were dropped, by their ids. */
  readonly snapshotsDropped: readonly string[];
  /** Tables of the backup that the target has no place for. */
  readonly leftOut: readonly string[];
  /** Of a target of another layout: what it has no place for. */
  readonly lost: readonly Loss[];
  /** What killed attempts had left in the target and that is gone now. */
  readonly discarded: readonly string[];
  /** Of a recovery to a point; null of a backup that is restored as it is. */
  readonly recovery: RecoveryReport | null;
}

export interface RecoveryReport {
  /** Transactions and events that came from the log. */
  readonly transactions: number;
  readonly eventsReplayed: number;
  /** Versions that are missing where the log goes on; null where that tells nothing. */
  readonly versionsSkipped: number | null;
  readonly epochRecord: EpochOutcome;
}

/**
 * Restores what a chain holds (`requireChain`, a full backup alone being one too) into a target, and what a log has beyond it, if
 * a recovery is planned: everything is loaded where no reader sees it, compared with the chain's heads, and only then
 * published in one step. Any failure before that leaves the target as it was.
 */
export async function restoreBackup(
  ports: RestorePorts,
  chain: Chain,
  options: RestoreOptions,
): Promise<RestoreReport> {
  const { target, clock, vault } = ports;
  const startedAtMs = clock.now();
  const { replace, parallel, recovery } = options;
  assertChain(chain);
  const plan = planRestore(chain, await target.inspect(), replace, options.envelopes);
  const { conversion } = plan;
  assertWithoutLog(conversion, recovery?.log ?? null);
  const files = await planLoads(vault, chain, parallel);
  const allowed = options.allowLoss ?? [];
  if (conversion !== null) await requireForeseen(vault, chain, files, { conversion, allowed });
  const epoch = clock.uuid();
  const adopt = conversion?.adopts === true;
  const session = await target.openRestore({ attemptId: epoch, replace, adopt, parallel });
  let done: Omit<RestoreReport, 'recovery'> & Pick<Loaded, 'replayed'>;
  try {
    options.onStep?.('loading events');
    const loaded = await loadEvents(ports, session, { chain, plan, files }, options);
    const companions = await loadCompanions(ports, session, chain, options, loaded);
    if (conversion !== null) requireAllowed(conversion, companions.lost, allowed);
    const counted = await finishAndVerify(vault, session, chain, { ...loaded, conversion }, options.onStep);
    throwIfAborted(options.signal);
    options.onStep?.('publishing');
    await session.publish();
    const finishedAtMs = clock.now();
    done = {
      plan,
      epoch,
      eventsRestored: counted.events,
      streamsRestored: counted.streams,
      recoveryTime: formatTime(timeFromUnixMs(finishedAtMs), 3),
      durationMs: Math.max(0, finishedAtMs - startedAtMs),
      dataIntegrityVerified: true,
      ...companions,
      discarded: session.discarded,
      replayed: loaded.replayed,
    };
  } catch (error) {
    await session.discard();
    throw error;
  }
  const { replayed, ...report } = done;
  if (recovery === undefined) return { ...report, recovery: null };
  options.onStep?.('recording what was taken back');
  const facts = { epoch, recoveredAt: report.recoveryTime, store: target.address };
  const epochRecord = await recordEpoch(vault, recovery, facts);
  return { ...report, recovery: { ...replayed, epochRecord } };
}

interface Loaded {
  /** What the target must hold now. */
  readonly events: number;
  readonly streams: number;
  readonly greatestId: string | null;
  /** Stream by stream; null when it is what the chain holds. */
  readonly table: StreamTable | null;
  /** What conversions took off; null without one. */
  readonly contents: EnvelopeContents | null;
  readonly replayed: Omit<RecoveryReport, 'epochRecord'>;
}

interface Planned {
  readonly chain: Chain;
  readonly plan: RestorePlan;
  readonly files: Awaited<ReturnType<typeof planLoads>>;
}

async function loadEvents(
  ports: RestorePorts,
  session: RestoreSession,
  { chain, plan, files }: Planned,
  options: RestoreOptions,
): Promise<Loaded> {
  const { parallel, signal, onStep, recovery } = options;
  const log = recovery?.log ?? null;
  const done = { events: 0, bytes: 0 };
  const totals = {
    totalEvents: plan.events + (log?.measured.events ?? 0),
    totalBytes: chain.reduce((sum, { manifest }) => sum + manifest.plainBytes, log?.measured.bytes ?? 0),
  };
  const onProgress = (events: number, bytes: number): void => {
    done.events += events;
    done.bytes += bytes;
    options.onProgress?.({ ...done, ...totals });
  };
  const hooks = { onProgress, signal };
  const { conversion } = plan;
  if (log !== null) {
    const loaded = await loadWithLog(ports, { session, chain, files, log, parallel, onStep }, hooks);
    const { transactions, eventsReplayed, versionsSkipped, ...rest } = loaded;
    const replayed = { transactions, eventsReplayed, versionsSkipped };
    return { ...rest, streams: loaded.table.count, contents: null, replayed };
  }
  const loaders = planLoaders(ports, session, files, parallel);
  const openWriter = () => session.openWriter({ alone: loaders.way === 'alone' });
  const results = await loadAll(ports, { session, files, loaders, openWriter, conversion }, hooks);
  const greatestId = results.reduce<string | null>((best, { greatestId: id }) => greaterId(best, id), null);
  const { events, streams } = plan;
  const replayed = { transactions: 0, eventsReplayed: 0, versionsSkipped: null };
  const contents = conversion === null ? null : sumContents(results);
  return { events, streams, greatestId, table: null, contents, replayed };
}

function sumContents(results: readonly LoadResult[]): EnvelopeContents {
  const sum = noContents();
  for (const { contents } of results) if (contents !== null) addContents(sum, contents);
  return sum;
}

/** Of the newest link alone: each link has all companions, as they were then. */
async function loadCompanions(
  ports: RestorePorts,
  session: RestoreSession,
  chain: Chain,
  { checkpoints: policy }: RestoreOptions,
  { greatestId, table, contents }: Loaded,
): Promise<Pick<RestoreReport, 'checkpoints' | 'snapshotsDropped' | 'leftOut' | 'lost'>> {
  const checkpoints: CheckpointOutcome[] = [];
  const snapshotsDropped: string[] = [];
  const leftOut = new Set<string>();
  if (contents !== null) {
    const lost = lossesOf(contents, await countTables(ports.vault, chain));
    return { checkpoints, snapshotsDropped, leftOut: [], lost };
  }
  for await (const row of readCompanions(ports.vault, chain.at(-1)!)) {
    if (row.role === 'progress' && policy === 'reset') continue;
    if (table !== null && isSnapshotAhead(row, table)) {
      snapshotsDropped.push(Object.values(row.values)[0] ?? '');
      continue;
    }
    const decided =
      row.role === 'checkpoints' ? decideCheckpoint(row, policy, greatestId) : { row, outcome: null };
    if (decided.outcome !== null) checkpoints.push(decided.outcome);
    if (decided.row !== null && !(await session.writeCompanion(decided.row))) leftOut.add(row.table);
  }
  return { checkpoints, snapshotsDropped, leftOut: [...leftOut], lost: [] };
}

/** Finishes the load and compares it with what there must be: both at once, where the store can do both at once. */
async function finishAndVerify(
  vault: Vault,
  session: RestoreSession,
  chain: Chain,
  wanted: Loaded & Pick<RestorePlan, 'conversion'>,
  onStep: RestoreOptions['onStep'],
): Promise<{ events: number; streams: number }> {
  const finished = awaitedLater(session.finishLoad(onStep));
  if (session.token === null) await finished;
  const held = wanted.table === null ? readChainHeads(vault, chain) : readTable(wanted.table);
  const heads = convertedHeads(held, wanted.conversion);
  const compared = awaitedLater(compareSummaries(session.readSummaries(), heads));
  await finished;
  onStep?.('verifying what was loaded');
  const counted = await compared;
  checkCounts(counted, wanted);
  return counted;
}

function checkCounts(
  counted: { events: number; streams: number },
  wanted: { events: number; streams: number },
): void {
  if (counted.events === wanted.events && counted.streams === wanted.streams) return;
  const { events, streams } = counted;
  throw new BackupError(
    'verification_failed',
    `loaded ${events} events in ${streams} streams, the backup has ${wanted.events} in ${wanted.streams}`,
    { hint: 'nothing was published and the target is as it was; run `eventcore verify` on the backup' },
  );
}
