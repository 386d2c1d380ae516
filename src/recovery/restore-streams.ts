import { throwIfAborted } from '../core/errors.ts';
import type { RestoreSession } from '../core/event-store.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import { assertChain, type Chain } from '../format/chain.ts';
import type { HeadLine } from '../format/heads.ts';
import { compareSummaries } from './compare-summaries.ts';
import { planRestore, type RestorePlan } from './plan.ts';
import { readStreams, requireHeads } from './read-streams.ts';
import type { RestorePorts } from './restore.ts';

export interface StreamsOptions {
  /** Names as text; those that are no UTF-8 as `base64:`. */
  readonly streamIds: readonly string[];
  readonly replace: boolean;
  readonly onStep?: (step: string) => void;
  readonly signal?: AbortSignal;
}

/** What becomes of one stream. Versions are those of the events that are added; null when there are none. */
export interface StreamOutcome {
  readonly streamId: string;
  /** `extended`: behind its last event. `filled`: where versions were missing before that. */
  readonly action: 'created' | 'extended' | 'filled' | 'unchanged';
  readonly fromVersion: number | null;
  readonly toVersion: number | null;
  readonly events: number;
  /** The version of the target's last event, where that lies beyond the backup's. */
  readonly aheadAt?: number;
}

export interface StreamsReport {
  readonly plan: RestorePlan;
  readonly epoch: string | null;
  readonly streams: readonly StreamOutcome[];
  readonly eventsRestored: number;
  readonly streamsRestored: number;
  /** RFC 3339, when the events became visible; null when nothing was done. */
  readonly recoveryTime: string | null;
  readonly durationMs: number;
  readonly dataIntegrityVerified: true;
  readonly discarded: readonly string[];
}

export interface StreamsPlan {
  readonly plan: RestorePlan;
  readonly heads: readonly HeadLine[];
}

/** Decides what a restore of these streams does. Throws as `planRestore` does, and `stream_not_found`. */
export async function planStreams(
  { target, vault }: Pick<RestorePorts, 'target' | 'vault'>,
  chain: Chain,
  { streamIds, replace }: Pick<StreamsOptions, 'streamIds' | 'replace'>,
): Promise<StreamsPlan> {
  assertChain(chain);
  const plan = planRestore(chain, await target.inspect(), replace);
  const heads = await requireHeads(vault, chain, streamIds);
  const events = heads.reduce((sum, head) => sum + head.events, 0);
  const notes = [
    ...plan.notes,
    'consumer checkpoints and command snapshots are left out: they speak of the whole store',
  ];
  return { plan: { ...plan, events, streams: heads.length, notes }, heads };
}

export function createdStreams(heads: readonly HeadLine[]): StreamOutcome[] {
  return heads.map(({ streamId, firstVersion, lastVersion, events }) => {
    return { streamId, action: 'created', fromVersion: firstVersion, toVersion: lastVersion, events };
  });
}

/**
 * Restores single streams of a chain into a target, reading only the chunks that may hold them: loaded where no reader sees it,
 * compared with the chain's heads of these streams, and published in one step.
 */
export async function restoreStreams(
  ports: RestorePorts,
  chain: Chain,
  options: StreamsOptions,
): Promise<StreamsReport> {
  const { target, vault, clock } = ports;
  const startedAtMs = clock.now();
  const { plan, heads } = await planStreams(ports, chain, options);
  const epoch = clock.uuid();
  const session = await target.openRestore({ attemptId: epoch, replace: options.replace, parallel: 1 });
  try {
    options.onStep?.('loading events');
    await load(session, (write) => readStreams(vault, chain, { heads, write, signal: options.signal }));
    await session.finishLoad(options.onStep);
    const counted = await compareSummaries(session.readSummaries(), linesOf(heads));
    throwIfAborted(options.signal);
    options.onStep?.('publishing');
    await session.publish();
    const finishedAtMs = clock.now();
    return {
      ...{ plan, epoch, streams: createdStreams(heads) },
      eventsRestored: counted.events,
      streamsRestored: counted.streams,
      recoveryTime: formatTime(timeFromUnixMs(finishedAtMs), 3),
      durationMs: Math.max(0, finishedAtMs - startedAtMs),
      dataIntegrityVerified: true,
      discarded: session.discarded,
    };
  } catch (error) {
    await session.discard();
    throw error;
  }
}

async function load(
  session: RestoreSession,
  read: (write: Parameters<typeof readStreams>[2]['write']) => Promise<void>,
): Promise<void> {
  const writer = await session.openWriter({ alone: true });
  try {
    await read((batch) => writer.write(batch));
    await writer.end();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function* linesOf(heads: readonly HeadLine[]): AsyncGenerator<HeadLine> {
  yield* heads;
}
