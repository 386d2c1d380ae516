import type { Clock } from '../core/clock.ts';
import { awaitedLater, runLimited } from '../core/concurrency.ts';
import { BackupError, throwIfAborted } from '../core/errors.ts';
import type { EventStore, RestoreSession } from '../core/event-store.ts';
import type { Progress } from '../core/report.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { naming } from '../format/bundle-damage.ts';
import { assertChain, type Chain, type ChainMember } from '../format/chain.ts';
import { readChainHeads } from '../format/chain-heads.ts';
import { readIndex } from '../format/data-file-reader.ts';
import { readCompanions } from '../format/line-files.ts';
import { type CheckpointOutcome, type CheckpointPolicy, decideCheckpoint } from './checkpoints.ts';
import { compareSummaries } from './compare-summaries.ts';
import { type LoadHooks, type LoadJob, type LoadResult, loadChunks } from './load-chunks.ts';
import { type ChunkRun, cutIntoRuns, type FileSource, planRestore, type RestorePlan } from './plan.ts';

export interface RestorePorts {
  readonly target: EventStore;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Loads in another thread, which joins the restore by its token. */
  readonly runLoad?: (restoreToken: string, job: LoadJob, hooks: LoadHooks) => Promise<LoadResult>;
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
  /** Tables of the backup that the target has no place for. */
  readonly leftOut: readonly string[];
  /** What killed attempts had left in the target and that is gone now. */
  readonly discarded: readonly string[];
}

/**
 * Restores what a chain holds (`requireChain`, a full backup alone being one too) into a target: everything is loaded where
 * no reader sees it, compared with the chain's heads, and only then published in one step. Any failure before that leaves
 * the target as it was.
 */
export async function restoreBackup(
  ports: RestorePorts,
  chain: Chain,
  options: RestoreOptions,
): Promise<RestoreReport> {
  const { target, clock } = ports;
  const startedAtMs = clock.now();
  const { replace, parallel } = options;
  assertChain(chain);
  const plan = planRestore(chain, await target.inspect(), replace);
  const runs = await planLoads(ports.vault, chain, parallel);
  const epoch = clock.uuid();
  const session = await target.openRestore({ attemptId: epoch, replace, parallel });
  try {
    options.onStep?.('loading events');
    const loaded = await loadAll(ports, session, { chain, plan, runs }, options);
    const greatestId = loaded.reduce<string | null>((best, { greatestId: id }) => later(best, id), null);
    const newest = chain.at(-1)!;
    const companions = await loadCompanions(ports, session, newest, options.checkpoints, greatestId);
    const counted = await finishAndVerify(ports.vault, session, { chain, plan }, options.onStep);
    throwIfAborted(options.signal);
    options.onStep?.('publishing');
    await session.publish();
    const finishedAtMs = clock.now();
    return {
      plan,
      epoch,
      eventsRestored: counted.events,
      streamsRestored: counted.streams,
      recoveryTime: formatTime(timeFromUnixMs(finishedAtMs), 3),
      durationMs: Math.max(0, finishedAtMs - startedAtMs),
      dataIntegrityVerified: true,
      ...companions,
      discarded: session.discarded,
    };
  } catch (error) {
    await session.discard();
    throw error;
  }
}

/** Of the newest link alone: each link has all companions, as they were then. */
async function loadCompanions(
  ports: RestorePorts,
  session: RestoreSession,
  { manifest, folder }: ChainMember,
  policy: CheckpointPolicy,
  greatestId: string | null,
): Promise<Pick<RestoreReport, 'checkpoints' | 'leftOut'>> {
  const checkpoints: CheckpointOutcome[] = [];
  const leftOut = new Set<string>();
  for await (const row of readCompanions(ports.vault, folder, manifest)) {
    const decided =
      row.role === 'checkpoints' ? decideCheckpoint(row, policy, greatestId) : { row, outcome: null };
    if (decided.outcome !== null) checkpoints.push(decided.outcome);
    if (decided.row !== null && !(await session.writeCompanion(decided.row))) leftOut.add(row.table);
  }
  return { checkpoints, leftOut: [...leftOut] };
}

