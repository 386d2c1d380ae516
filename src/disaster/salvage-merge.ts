import { BackupError, throwIfAborted } from '../core/errors.ts';
import { type EventBatch, selectRows, spanBytes } from '../core/event-batch.ts';
import type { BatchWriter, MergedStream, MergeSession } from '../core/event-store.ts';
import { nameText } from '../core/name-text.ts';
import type { SalvageSides } from './salvage-find.ts';
import type { SalvagedStream } from './salvage-table.ts';

const BATCH_BYTES = 1 << 20;
const STREAMS_AT_ONCE = 500;
/** So often others may be quicker with a stream before its events are left to people. */
const MOST_TRIES = 3;

/**
 * Adds to the new store, in one transaction, the events of streams that it has not gone on with: every id, version and time kept. A stream
 * that somebody has written to meanwhile is left out. Gives how many events were added; done again it adds nothing.
 */
export async function mergeLost(
  sides: SalvageSides,
  streams: readonly SalvagedStream[],
  signal: AbortSignal,
): Promise<number> {
  await refuseOtherBase(sides);
  let left = streams.filter(({ verdict, merged, events }) => verdict === 'mergeable' && merged < events);
  for (let tries = 1; left.length > 0 && tries <= MOST_TRIES; tries += 1) {
    const outcome = await mergeOnce(sides, left, signal);
    if (typeof outcome === 'number') return outcome;
    left = left.filter(({ streamId }) => !outcome.has(streamId));
  }
  return 0;
}

/** Versions mean another place where they count from another number. */
async function refuseOtherBase({ old, fresh }: SalvageSides): Promise<void> {
  const [ours, theirs] = [await old.store.inspect(), await fresh.store.inspect()];
  if (ours.versionBase === theirs.versionBase) return;
  throw new BackupError(
    'store_unsupported',
    `streams of ${old.store.address} begin with version ${ours.versionBase}, those of ${fresh.store.address} with ${theirs.versionBase}`,
    { hint: 'the events are in the vault; append them as new events where they are wanted' },
  );
}

/** How many were added, or the streams that stand in the way. */
async function mergeOnce(
  sides: SalvageSides,
  streams: readonly SalvagedStream[],
  signal: AbortSignal,
): Promise<number | ReadonlySet<string>> {
  const session = await sides.fresh.store.openMerge({ dryRun: false });
  try {
    const written = await stage(session, sides, streams, signal);
    const conflicts = await compare(session, streams);
    throwIfAborted(signal);
    if (conflicts.size > 0) return conflicts;
    const added = await session.publish();
    if (added === written) return added;
    throw new BackupError('internal', `${written} salvaged events were to be added and ${added} were`);
  } finally {
    await session.discard();
  }
}

async function stage(
  session: MergeSession,
  sides: SalvageSides,
  streams: readonly SalvagedStream[],
  signal: AbortSignal,
): Promise<number> {
  const writer = await session.openWriter();
  try {
    let written = 0;
    for (let at = 0; at < streams.length; at += STREAMS_AT_ONCE) {
      written += await copyStreams(writer, sides, streams.slice(at, at + STREAMS_AT_ONCE), signal);
    }
    await writer.end();
    return written;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function copyStreams(
  writer: BatchWriter,
  { old: { snapshot } }: SalvageSides,
  streams: readonly SalvagedStream[],
  signal: AbortSignal,
): Promise<number> {
  const wanted = new Map(streams.map((stream) => [stream.streamId, stream]));
  const tails = streams.map(({ streamId, firstVersion }) => ({ streamId, fromVersion: firstVersion! }));
  let written = 0;
  for (const range of await snapshot.planTails(tails)) {
    for await (const batch of snapshot.readRange(range, { batchBytes: BATCH_BYTES, signal })) {
      const own = pick(batch, wanted);
      if (own === null) continue;
      await writer.write(own);
      written += own.count;
    }
  }
  const events = streams.reduce((sum, stream) => sum + stream.events, 0);
  if (written === events) return written;
  throw new BackupError('internal', `${events} events were salvaged, and ${written} were read again`);
}

function pick(batch: EventBatch, wanted: ReadonlyMap<string, SalvagedStream>): EventBatch | null {
  const rows: number[] = [];
  for (let row = 0; row < batch.count; row += 1) {
    const stream = wanted.get(nameText(spanBytes(batch, batch.stream, row)!));
    const version = batch.versions[row]!;
    if (stream !== undefined && version >= stream.firstVersion! && version <= stream.lastVersion!)
      rows.push(row);
  }
  return rows.length === 0 ? null : selectRows(batch, rows);
}

async function compare(
  session: MergeSession,
  streams: readonly SalvagedStream[],
): Promise<ReadonlySet<string>> {
  const conflicts = new Set<string>();
  const behind = new Map(streams.map((stream) => [stream.streamId, stream.newLast]));
  for await (const stream of session.compare()) {
    if (!carriesOn(stream, behind.get(stream.streamId) ?? null)) conflicts.add(stream.streamId);
  }
  return conflicts;
}

/** The store's stream still ends where it did when the events were found. */
function carriesOn(
  { conflictAt, missing, written, storeLast }: MergedStream,
  newLast: number | null,
): boolean {
  return conflictAt === null && missing === written && storeLast === newLast;
}
