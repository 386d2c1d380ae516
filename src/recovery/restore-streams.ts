import { throwIfAborted } from '../core/errors.ts';
import type { BatchWriter, EventStore } from '../core/event-store.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { assertChain } from '../format/chain.ts';
import { noContents } from '../format/envelope.ts';
import type { HeadLine } from '../format/heads.ts';
import { compareSummaries } from './compare-summaries.ts';
import {
  type AllowedLoss,
  type Conversion,
  convertedHead,
  convertingWriter,
  type EnvelopeHandling,
  type Loss,
  lossesOf,
  requireAllowed,
} from './conversion.ts';
import { planRestore, type RestorePlan } from './plan.ts';
import { findWish, readStreams, type StreamSource, type StreamWish } from './read-streams.ts';
import type { RestorePorts } from './restore.ts';

export interface StreamsOptions {
  /** Names as text; those that are no UTF-8 as `base64:`. */
  readonly streamIds: readonly string[];
  readonly replace: boolean;
  /** What may be lost where the target is of another layout; left out: nothing. */
  readonly allowLoss?: AllowedLoss;
  /** Left out: `open`. */
  readonly envelopes?: EnvelopeHandling;
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
  /** Of a target of another layout: what it has no place for. */
  readonly lost: readonly Loss[];
}

export interface StreamsPlan {
  readonly plan: RestorePlan;
  readonly streams: readonly StreamOutcome[];
  readonly lost: readonly Loss[];
}

/** Says what a restore of these streams would do, by reading them. Throws as `restoreStreams` does. */
export async function planStreams(
  { target, vault }: Pick<RestorePorts, 'vault'> & { readonly target: Pick<EventStore, 'inspect'> },
  source: StreamSource,
  { streamIds, replace, envelopes, signal }: StreamsOptions,
): Promise<StreamsPlan> {
  const { chain } = source;
  assertChain(chain);
  const plan = planRestore(chain, await target.inspect(), replace, envelopes);
  const wish = await findWish(vault, source, streamIds);
  const { heads, lost } = await readInto({ vault, source, wish, plan, signal }, NOWHERE);
  return { plan: planOf(plan, heads), streams: createdStreams(heads), lost };
}

function planOf(plan: RestorePlan, heads: readonly HeadLine[]): RestorePlan {
  const events = heads.reduce((sum, head) => sum + head.events, 0);
  const notes = [
    ...plan.notes,
    'consumer checkpoints and command snapshots are left out: they speak of the whole store',
  ];
  return { ...plan, events, streams: heads.length, notes };
}

function createdStreams(heads: readonly HeadLine[]): StreamOutcome[] {
  return heads.map(({ streamId, firstVersion, lastVersion, events }) => {
    return { streamId, action: 'created', fromVersion: firstVersion, toVersion: lastVersion, events };
  });
}

/**
 * Restores single streams of a chain, and of a log behind it, into a target, reading only the chunks that may hold them: loaded
 * where no reader sees it, compared with the heads of these streams, and published in one step.
 */
export async function restoreStreams(
  ports: RestorePorts,
  source: StreamSource,
  options: StreamsOptions,
): Promise<StreamsReport> {
  const { target, vault, clock } = ports;
  const startedAtMs = clock.now();
  assertChain(source.chain);
  const plan = planRestore(source.chain, await target.inspect(), options.replace, options.envelopes);
  const wish = await findWish(vault, source, options.streamIds);
  const epoch = clock.uuid();
  const session = await target.openRestore({
    ...{ attemptId: epoch, replace: options.replace, parallel: 1 },
    adopt: plan.conversion?.adopts === true,
  });
  try {
    options.onStep?.('loading events');
    const { signal } = options;
    const writer = await session.openWriter({ alone: true });
    const { heads, lost } = await readInto({ vault, source, wish, plan, signal }, writer);
    if (plan.conversion !== null) requireAllowed(plan.conversion, lost, options.allowLoss ?? []);
    await session.finishLoad(options.onStep);
    const counted = await compareSummaries(session.readSummaries(), linesOf(heads));
    throwIfAborted(options.signal);
    options.onStep?.('publishing');
    await session.publish();
    const finishedAtMs = clock.now();
    return {
      ...{ plan: planOf(plan, heads), epoch, streams: createdStreams(heads) },
      eventsRestored: counted.events,
      streamsRestored: counted.streams,
      recoveryTime: formatTime(timeFromUnixMs(finishedAtMs), 3),
      durationMs: Math.max(0, finishedAtMs - startedAtMs),
      dataIntegrityVerified: true,
      ...{ discarded: session.discarded, lost },
    };
  } catch (error) {
    await session.discard();
    throw error;
  }
}

interface StreamReading {
  readonly vault: Vault;
  readonly source: StreamSource;
  readonly wish: StreamWish;
  readonly plan: RestorePlan;
  readonly signal: AbortSignal | undefined;
}

const NOWHERE: BatchWriter = { write: async () => {}, end: async () => {}, abort: async () => {} };

/** Gives what was written, as the target has it, and what was not. The writer is ended, or aborted when anything fails. */
async function readInto(
  { vault, source, wish, plan, signal }: StreamReading,
  target: BatchWriter,
): Promise<{ heads: readonly HeadLine[]; lost: readonly Loss[] }> {
  const { conversion } = plan;
  const converting = conversion === null ? null : convertingWriter(target, conversion);
  const writer = converting?.writer ?? target;
  try {
    const heads = await readStreams(vault, source, wish, { write: (batch) => writer.write(batch), signal });
    await writer.end();
    // Other tables speak of the whole store, and are not restored with single streams.
    const lost = lossesOf(converting?.contents ?? noContents(), new Map());
    return { heads: conversion === null ? heads : headsOf(heads, conversion), lost };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function headsOf(heads: readonly HeadLine[], conversion: Conversion): HeadLine[] {
  return heads.map((head) => convertedHead(head, conversion));
}

async function* linesOf(heads: readonly HeadLine[]): AsyncGenerator<HeadLine> {
  yield* heads;
}
