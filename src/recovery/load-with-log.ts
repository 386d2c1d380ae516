import { touchStreams } from '../core/chain-summary.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { selectRows } from '../core/event-batch.ts';
import { makeFacts } from '../core/event-facts.ts';
import { idText } from '../core/event-id.ts';
import type { BatchWriter, RestoreSession } from '../core/event-store.ts';
import type { Oddities } from '../core/manifest.ts';
import {
  addBatch,
  makeStreamTable,
  mergeTable,
  releaseTable,
  type StreamTable,
} from '../core/stream-table.ts';
import { countOddities } from '../core/summary.ts';
import type { Chain } from '../format/chain.ts';
import { loadHeads, readChainHeads } from '../format/chain-heads.ts';
import { decodeHeads, encodeHeads, type HeadLine } from '../format/heads.ts';
import { compareSummaries } from './compare-summaries.ts';
import { type GreatestId, greaterId, makeGreatestId } from './greatest-id.ts';
import { ALONE, type Loaders, type LoadPorts, loadAll, planLoaders } from './load-all.ts';
import type { LoadHooks, LoadResult } from './load-chunks.ts';
import type { FileChunks } from './plan.ts';
import type { LogPart } from './plan-recovery.ts';
import { hasRemovals, isRemovedFromBase, type RemovedEvents } from './removals.ts';
import { replayLog } from './replay-log.ts';

export interface LoadedWithLog {
  /** What the target must hold now. */
  readonly table: StreamTable;
  readonly events: number;
  readonly greatestId: string | null;
  /** Of the log. */
  readonly transactions: number;
  readonly eventsReplayed: number;
  /** Versions that the log skips inside streams; null where events were removed, which leaves such gaps. */
  readonly versionsSkipped: number | null;
}

export interface LoadWithLog {
  readonly session: RestoreSession;
  readonly chain: Chain;
  readonly files: readonly FileChunks[];
  readonly log: LogPart;
  readonly parallel: number;
  readonly onStep?: ((step: string) => void) | undefined;
}

/**
 * Loads a base and then, with the same writer, what the log has beyond it. What the store removed before the cut is left out
 * of both.
 */
export async function loadWithLog(
  ports: LoadPorts,
  load: LoadWithLog,
  hooks: LoadHooks,
): Promise<LoadedWithLog> {
  const { session, files, log } = load;
  const { removed } = log.measured;
  // Whoever leaves events out must see them all, and in one place.
  const loaders = hasRemovals(removed) ? ALONE : planLoaders(ports, session, files, load.parallel);
  const writer = await session.openWriter({ alone: loaders.way === 'alone' });
  try {
    const base = hasRemovals(removed)
      ? await loadRemaining(ports, load, writer, hooks)
      : await loadWhole(ports, load, writer, loaders, hooks);
    load.onStep?.('replaying the log');
    const replayed = await replayLog({ vault: ports.vault, writer }, log, {
      baseTable: base.table,
      ...hooks,
    });
    await writer.end();
    const versionsSkipped = hasRemovals(removed)
      ? null
      : countSkipped(base.table, replayed.table, load.chain);
    mergeTable(base.table, replayed.table);
    releaseTable(replayed.table);
    return {
      table: base.table,
      events: base.events + replayed.events,
      greatestId: greaterId(base.greatestId, replayed.greatestId),
      transactions: replayed.transactions,
      ...{ eventsReplayed: replayed.events, versionsSkipped },
    };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/**
 * A store that numbers without gaps has none where base and log meet: one that shows would be an event that neither of them
 * holds. It is said, and does not stop a recovery: other stores leave out numbers.
 */
function countSkipped(base: StreamTable, log: StreamTable, chain: Chain): number {
  const { versionBase } = chain.at(-1)!.manifest.store;
  const { before, after } = touchStreams(base, log);
  const [was, is] = [before, after].map((table) => countOddities(table, makeFacts(), versionBase)) as [
    Oddities,
    Oddities,
  ];
  for (const table of [before, after]) releaseTable(table);
  return is.missingVersions - was.missingVersions + is.oddFirstVersions - was.oddFirstVersions;
}

interface LoadedBase {
  readonly table: StreamTable;
  readonly events: number;
  readonly greatestId: string | null;
}

async function loadWhole(
  ports: LoadPorts,
  { session, chain, files }: LoadWithLog,
  writer: BatchWriter,
  loaders: Loaders,
  hooks: LoadHooks,
): Promise<LoadedBase> {
  const results = await loadAll(
    ports,
    { session, files, loaders, openWriter: async () => stayOpen(writer) },
    hooks,
  );
  return { table: await loadHeads(ports.vault, chain), ...sumUp(results) };
}

function sumUp(results: readonly LoadResult[]): Omit<LoadedBase, 'table'> {
  return {
    events: results.reduce((sum, { events }) => sum + events, 0),
    greatestId: results.reduce<string | null>((best, { greatestId }) => greaterId(best, greatestId), null),
  };
}

/** The log follows in the same writer. */
function stayOpen(writer: BatchWriter): BatchWriter {
  return { write: (batch) => writer.write(batch), end: async () => {}, abort: () => writer.abort() };
}

/** Loads what of the base was not removed later, and proves that nothing else is missing from it. */
async function loadRemaining(
  ports: LoadPorts,
  { session, chain, files, log }: LoadWithLog,
  writer: BatchWriter,
  hooks: LoadHooks,
): Promise<LoadedBase> {
  const { removed } = log.measured;
  const kept = { table: makeStreamTable(), events: 0, greatest: makeGreatestId() };
  // Of a store that was emptied nothing of the base is left.
  if (!removed.isEmptied) {
    const all = makeStreamTable();
    const openWriter = async (): Promise<BatchWriter> => leavingOut(removed, writer, all, kept);
    await loadAll(ports, { session, files, loaders: ALONE, openWriter }, hooks);
    await compareSummaries(readTable(all), readChainHeads(ports.vault, chain));
    releaseTable(all);
  }
  return { table: kept.table, events: kept.events, greatestId: kept.greatest.text() };
}

function leavingOut(
  removed: RemovedEvents,
  writer: BatchWriter,
  all: StreamTable,
  kept: { readonly table: StreamTable; events: number; readonly greatest: GreatestId },
): BatchWriter {
  const write = async (batch: EventBatch): Promise<void> => {
    addBatch(all, batch);
    const rows: number[] = [];
    for (let row = 0; row < batch.count; row += 1) {
      if (!isRemovedFromBase(removed, idText(batch, row))) rows.push(row);
    }
    if (rows.length === 0) return;
    const rest = selectRows(batch, rows);
    await writer.write(rest);
    addBatch(kept.table, rest);
    kept.events += rest.count;
    kept.greatest.note(rest);
  };
  return { ...stayOpen(writer), write };
}

/** What a table holds, in byte order of the streams' names. */
export async function* readTable(table: StreamTable): AsyncGenerator<HeadLine> {
  for (const { plain } of encodeHeads(table)) yield* decodeHeads(plain);
}
