import { BackupError, throwIfAborted } from '../core/errors.ts';
import { type EventBatch, selectRows } from '../core/event-batch.ts';
import { idText } from '../core/event-id.ts';
import { nameBytes } from '../core/name-text.ts';
import { pickStreams, type StreamSelection, selectStreams } from '../core/stream-selection.ts';
import {
  addBatch,
  findStream,
  headId,
  makeStreamTable,
  releaseTable,
  type StreamTable,
  streamFacts,
} from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { searchStreams } from '../format/chain-events.ts';
import { loadHeads } from '../format/chain-heads.ts';
import type { ChunkEvents } from '../format/chunk-index.ts';
import { type FoundHeads, findHeads } from '../format/find-heads.ts';
import type { HeadLine } from '../format/heads.ts';
import { readHeadsInto } from '../format/heads-table.ts';
import { readTable } from './load-with-log.ts';
import type { LogPart } from './plan-recovery.ts';
import { hasRemovals, isRemovedFromBase, noRemovals, type RemovedEvents } from './removals.ts';
import { replayLog } from './replay-log.ts';

/** Where streams are read from: a chain, and what a log has beyond it. */
export interface StreamSource {
  readonly chain: Chain;
  readonly log: LogPart | null;
}

/** What is to be read of a source. */
export interface StreamWish {
  /** What the chain holds of the streams to be read from it. */
  readonly heads: readonly HeadLine[];
  /** Streams to be read from the log; null: all. */
  readonly selection: StreamSelection | null;
  /** Named streams that the chain does not have: the log may. */
  readonly unknown: FoundHeads['unknown'];
}

/** Looks streams up by name. Throws `stream_not_found` when no log could have what the chain has not. */
export async function findWish(
  vault: Vault,
  { chain, log }: StreamSource,
  streamIds: readonly string[],
): Promise<StreamWish> {
  const selection = selectStreams(streamIds);
  const { heads, unknown } = await findHeads(vault, chain, selection.names);
  if (log === null && unknown.length > 0) throw notFound(chain, unknown);
  return { heads, selection, unknown };
}

function notFound(chain: Chain, unknown: StreamWish['unknown']): BackupError {
  const first = unknown[0]!;
  const { backupId } = chain.at(-1)!.manifest;
  const more = unknown.length === 1 ? '' : `, nor ${unknown.length - 1} more of those named`;
  const near = first.near.map((name) => JSON.stringify(name)).join(', ');
  const list = `\`eventcore show ${backupId} --streams\` lists all`;
  return new BackupError(
    'stream_not_found',
    `backup ${backupId} has no stream ${JSON.stringify(first.streamId)}${more}`,
    {
      hint: near === '' ? list : `its neighbours by name are ${near}; ${list}`,
      facts: { backupId, streamId: first.streamId },
    },
  );
}

/**
 * Reads all events of certain streams as they were at the source's point, and gives what that is, stream by stream in byte
 * order of the names. What of the chain is read is held against its heads. Throws `stream_not_found`.
 */
export async function readStreams(
  vault: Vault,
  source: StreamSource,
  wish: StreamWish,
  { write, signal }: Pick<StreamReading, 'write' | 'signal'>,
): Promise<readonly HeadLine[]> {
  const { chain, log } = source;
  const table = makeStreamTable(wish.heads.length);
  const note = async (batch: EventBatch): Promise<void> => {
    addBatch(table, batch);
    await write(batch);
  };
  const removed = log?.measured.removed ?? noRemovals();
  const writeBase = async (batch: EventBatch): Promise<void> => {
    const rest = hasRemovals(removed) ? withoutRemoved(batch, removed) : batch;
    if (rest !== null) await note(rest);
  };
  try {
    await readFromChain(vault, chain, { heads: wish.heads, write: writeBase, signal });
    if (log !== null) await readFromLog(vault, { chain, log }, wish, { write: note, signal });
    const found: HeadLine[] = [];
    for await (const line of readTable(table)) found.push(line);
    const names = new Set(found.map(({ streamId }) => streamId));
    const unknown = wish.unknown.filter(({ streamId }) => !names.has(streamId));
    if (unknown.length > 0) throw notFound(chain, unknown);
    return found;
  } finally {
    releaseTable(table);
  }
}

async function readFromLog(
  vault: Vault,
  { chain, log }: { readonly chain: Chain; readonly log: LogPart },
  { selection, heads }: StreamWish,
  { write, signal }: Pick<StreamReading, 'write' | 'signal'>,
): Promise<void> {
  const baseTable = selection === null ? await loadHeads(vault, chain) : tableOf(heads);
  const writer = {
    write: async (batch: EventBatch): Promise<void> => {
      const own = selection === null ? batch : pickStreams(batch, selection);
      if (own !== null) await write(own);
    },
    end: async () => {},
    abort: async () => {},
  };
  const { table } = await replayLog({ vault, writer }, log, { baseTable, signal });
  releaseTable(table);
  releaseTable(baseTable);
}

/** What these lines say, as a table. */
export function tableOf(heads: readonly HeadLine[]): StreamTable {
  const table = makeStreamTable(heads.length);
  readHeadsInto(table, new TextEncoder().encode(heads.map((head) => `${JSON.stringify(head)}\n`).join('')));
  return table;
}

/** What of a batch of the base was not removed later; null when nothing is left. */
export function withoutRemoved(batch: EventBatch, removed: RemovedEvents): EventBatch | null {
  const rows: number[] = [];
  for (let row = 0; row < batch.count; row += 1) {
    if (!isRemovedFromBase(removed, idText(batch, row))) rows.push(row);
  }
  return rows.length === 0 ? null : selectRows(batch, rows);
}

export interface StreamReading {
  /** What the chain holds of the streams that are wanted. */
  readonly heads: readonly HeadLine[];
  /** Takes the events, and none of other streams; the batch is valid until it resolves. */
  readonly write: (batch: EventBatch) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads every event that a chain holds of certain streams, out of the chunks that may have some of them, and holds what was
 * read against the heads: number of events, first and last version, id of the last event. Throws `verification_failed`.
 */
async function readFromChain(
  vault: Vault,
  chain: Chain,
  { heads, write, signal }: StreamReading,
): Promise<void> {
  if (heads.length === 0) return;
  const selection = selectStreams(heads.map(({ streamId }) => streamId));
  const table = makeStreamTable(heads.length);
  const total = heads.reduce((sum, { events }) => sum + events, 0);
  let events = 0;
  const take = async (batch: EventBatch): Promise<void> => {
    throwIfAborted(signal);
    const own = pickStreams(batch, selection);
    if (own === null) return;
    addBatch(table, own);
    events += own.count;
    await write(own);
  };
  try {
    const { names } = selection;
    const [head] = heads;
    const ranking = heads.length === 1 ? { rank: distanceFrom(head!.lastEventId) } : {};
    const isDone = (): boolean => events >= total;
    await searchStreams(vault, chain, { names: () => names, take, isDone, signal, ...ranking });
    for (const head of heads) compareHead(table, head);
  } finally {
    releaseTable(table);
  }
}

const UUID_V7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7/i;

/** How far from a stream's last event a chunk lies in time, as far as its id tells: the others mostly lie near it. */
function distanceFrom(lastEventId: string): (events: ChunkEvents) => number {
  const digits = UUID_V7.exec(lastEventId);
  if (digits === null) return () => 0;
  const at = Number.parseInt(`${digits[1]}${digits[2]}`, 16);
  return ({ earliest, latest }) => {
    const distance = Math.max(0, Date.parse(earliest) - at, at - Date.parse(latest));
    return Number.isNaN(distance) ? Number.MAX_VALUE : distance;
  };
}

function compareHead(table: StreamTable, head: HeadLine): void {
  const name = nameBytes(head.streamId);
  const index = findStream(table, name, 0, name.length);
  if (index === -1) throw differs(head, 'was not found in its files');
  const facts = streamFacts(table, index);
  for (const key of ['events', 'firstVersion', 'lastVersion'] as const) {
    if (facts[key] === head[key]) continue;
    throw differs(head, `has ${key} ${head[key]} by its heads, ${facts[key]} in its files`);
  }
  const id = headId(table, index);
  if (id.toLowerCase() === head.lastEventId.toLowerCase()) return;
  throw differs(head, `ends with event ${head.lastEventId} by its heads, with ${id} in its files`);
}

function differs({ streamId }: HeadLine, text: string): BackupError {
  return new BackupError('verification_failed', `stream ${JSON.stringify(streamId)} of the backup ${text}`, {
    hint: 'nothing was written and the target is as it was; run `eventcore verify` on the backup',
    facts: { streamId },
  });
}
