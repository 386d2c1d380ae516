import { BackupError } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { nameText } from '../core/name-text.ts';
import type { PastStore } from '../core/past-store.ts';
import { pickStreams, type StreamSelection, selectStreams } from '../core/stream-selection.ts';
import {
  addBatch,
  makeStreamTable,
  mergeTable,
  releaseTable,
  type StreamTable,
} from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { loadHeads } from '../format/chain-heads.ts';
import { pastOfChain } from '../format/chain-past.ts';
import { findHeads } from '../format/find-heads.ts';
import type { LogPart } from './plan-recovery.ts';
import { type StreamSource, tableOf, withoutRemoved } from './read-streams.ts';
import { hasRemovals } from './removals.ts';
import { replayLog } from './replay-log.ts';

export interface PastOptions {
  /** Null: all streams. Names that the source does not have are not in the table. */
  readonly streamIds: readonly string[] | null;
  readonly signal?: AbortSignal | undefined;
}

/** What a store held at the point of a source, without restoring it. Throws `damaged`, or `store_diverged`. */
export async function openPast(
  vault: Vault,
  { chain, log }: StreamSource,
  { streamIds, signal }: PastOptions,
): Promise<PastStore> {
  const selection = streamIds === null ? null : selectStreams(streamIds);
  const heads = await headsOf(vault, chain, selection);
  const base = pastOfChain(vault, chain, heads, signal);
  return log === null ? base : carryOn({ vault, log, selection, signal }, base);
}

async function headsOf(vault: Vault, chain: Chain, selection: StreamSelection | null): Promise<StreamTable> {
  if (selection === null) return loadHeads(vault, chain);
  return tableOf((await findHeads(vault, chain, selection.names)).heads);
}

interface Instant {
  readonly vault: Vault;
  readonly log: LogPart;
  readonly selection: StreamSelection | null;
  readonly signal: AbortSignal | undefined;
}

/**
 * The log folded over the base: what is left of the base, with what the log has beyond it, each event that was removed later
 * left out of both. Each reading goes through base and log anew, so that memory follows streams alone; the table of the base
 * is kept beside the one of the instant, since a log may ask it for what the base has already.
 */
async function carryOn(instant: Instant, base: PastStore): Promise<PastStore> {
  const { log, selection } = instant;
  const remaining = hasRemovals(log.measured.removed) ? await leaveOutRemoved(log, base, selection) : base;
  const readLog = (names: readonly Uint8Array[] | 'all', take: (batch: EventBatch) => void) =>
    replayStreams(instant, remaining.table, names, take);
  const table = makeStreamTable(remaining.table.count);
  mergeTable(table, remaining.table);
  await readLog('all', (batch) => {
    addBatch(table, batch);
  });
  return {
    table,
    cursor: null,
    read: async (names, take) => {
      await remaining.read(names, take);
      await readLog(names, take);
    },
  };
}

/** The base without what was removed before the cut. To know which streams that leaves, all of it is read once. */
async function leaveOutRemoved(
  { measured: { removed } }: LogPart,
  base: PastStore,
  selection: StreamSelection | null,
): Promise<PastStore> {
  const table = makeStreamTable();
  const read: PastStore['read'] = async (names, take) => {
    // Of a store that was emptied nothing of the base is left.
    if (removed.isEmptied) return;
    await base.read(names, (batch) => {
      const rest = withoutRemoved(batch, removed);
      if (rest !== null) take(rest);
    });
  };
  if (!removed.isEmptied) {
    let events = 0;
    await base.read(selection?.names ?? 'all', (batch) => {
      const own = selection === null ? batch : pickStreams(batch, selection);
      if (own === null) return;
      events += own.count;
      const rest = withoutRemoved(own, removed);
      if (rest !== null) addBatch(table, rest);
    });
    assertWhole(base.table, events);
  }
  releaseTable(base.table);
  return { table, cursor: null, read };
}

/** What is missing from the files of a backup must not pass for events that were removed. */
function assertWhole({ events: counts, count }: StreamTable, events: number): void {
  const named = counts.subarray(0, count).reduce((sum, own) => sum + own, 0);
  if (named === events) return;
  throw new BackupError('damaged', `the heads of the backup name ${named} events, its files hold ${events}`, {
    hint: 'run `eventcore verify`, and use another backup',
  });
}

async function replayStreams(
  { vault, log, selection, signal }: Instant,
  baseTable: StreamTable,
  names: readonly Uint8Array[] | 'all',
  take: (batch: EventBatch) => void,
): Promise<void> {
  const wanted = names === 'all' ? selection : selectStreams(names.map(nameText));
  const writer = {
    write: async (batch: EventBatch): Promise<void> => {
      const own = wanted === null ? batch : pickStreams(batch, wanted);
      if (own !== null) take(own);
    },
    end: async () => {},
    abort: async () => {},
  };
  const { table } = await replayLog({ vault, writer }, log, { baseTable, signal });
  releaseTable(table);
}
