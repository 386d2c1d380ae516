import { awaitedLater } from '../core/concurrency.ts';
import {
  type DifferenceReport,
  type Differences,
  hasDifferences,
  makeDifferences,
} from '../core/differences.ts';
import { type EventBatch, spanBytes } from '../core/event-batch.ts';
import type { EventFacts } from '../core/event-facts.ts';
import type { StoreRange, StoreSnapshot } from '../core/event-store.ts';
import { dropKnown, startReading, type TakeKnown } from '../core/known-rows.ts';
import type { ManifestFile } from '../core/manifest.ts';
import { nameText } from '../core/name-text.ts';
import type { Stages } from '../core/stages.ts';
import { findStream, headId, type StreamTable, streamName } from '../core/stream-table.ts';
import { formatUuid } from '../core/uuid-text.ts';
import type { Vault } from '../core/vault.ts';
import { isOpen } from '../format/bundle-keys.ts';
import { type Chain, chainTotals } from '../format/chain.ts';
import { loadHeads } from '../format/chain-heads.ts';
import { type KnownEvents, makeKnownEvents } from '../format/known-events.ts';
import { whyArchived } from './archived.ts';
import { compareGrown, diffHeads, type HeadsDiff } from './heads-diff.ts';
import type { IncrementalOptions, IncrementalOutcome } from './incremental.ts';
import { backUpRanges, type RangeJob } from './range.ts';

export interface FoundChanges {
  readonly file: ManifestFile | null;
  readonly facts: EventFacts;
  /** Of the new events. */
  readonly table: StreamTable;
  /** What the chain held before. */
  readonly chainTable: StreamTable;
  readonly stages: Stages;
  /** Why the streams' heads were compared; null when the numbers of transactions said what is new. */
  readonly headsReason: string | null;
  /** Events that were seen again, and whose content could not be compared: the chain's is sealed for others. */
  readonly uncompared: number;
}

export interface ChangeSource {
  readonly snapshot: StoreSnapshot;
  readonly vault: Vault;
  readonly chain: Chain;
}

type Refusal = Exclude<IncrementalOutcome, { kind: 'taken' }>;
type Place = Pick<RangeJob, 'folder' | 'limits' | 'seal'>;

/** Writes event files of all that the view of the store has and the chain has not. */
export async function readChanges(
  source: ChangeSource,
  options: IncrementalOptions,
  place: Place,
): Promise<FoundChanges | Refusal> {
  const { snapshot, chain } = source;
  const ranges = await snapshot.planChanges(chain.at(-1)!.manifest.cursor, options.parallel);
  return typeof ranges === 'string'
    ? readByHeads(source, options, place, ranges)
    : readByTransactions(source, options, place, ranges);
}

/**
 * What the parent's view could not see, by the numbers of transactions. It may hold events that the view did see: these are
 * compared with the chain's. What was deleted shows in the count of all events.
 */
async function readByTransactions(
  source: ChangeSource,
  options: IncrementalOptions,
  place: Place,
  ranges: readonly StoreRange[],
): Promise<FoundChanges | Refusal> {
  const { snapshot, vault, chain } = source;
  // The server counts, and looks for what is new, while the heads are read here.
  const counted = awaitedLater(snapshot.countEvents());
  const reading = startReading(snapshot, ranges, readOptions(options));
  try {
    const chainTable = await loadHeads(vault, chain);
    const differences = makeDifferences();
    const known = knownEvents(vault, chain, differences, options.signal);
    const fresh = dropKnown(reading.batches(), chainTable, known.take);
    const found = await writeEvents(vault, fresh, options, place);
    const inexact = await known.compare();
    if (inexact !== null) return { kind: 'full-needed', reason: inexact };
    const missing = chainTotals(chain.at(-1)!.manifest).totalEvents + found.facts.events - (await counted);
    if (missing < 0) return { kind: 'full-needed', reason: describeSurplus(-missing) };
    if (missing > 0) await nameLost(snapshot, chainTable, found.table, differences);
    const { uncompared } = known;
    return (
      refusal(differences.report(), found.table, snapshot) ?? {
        ...{ ...found, chainTable, headsReason: null },
        uncompared: uncompared(),
      }
    );
  } finally {
    await reading.stop();
  }
}

/** A host that cannot open what it has written compares what it can: streams and versions, and counts the rest. */
function knownEvents(
  vault: Vault,
  chain: Chain,
  differences: Differences,
  signal: AbortSignal | undefined,
): KnownEvents & { readonly uncompared: () => number } {
  if (chain.every(isOpen)) {
    return { ...makeKnownEvents(vault, chain, differences, { signal }), uncompared: () => 0 };
  }
  let seen = 0;
  return {
    take: (_batch, rows) => {
      seen += rows.length;
    },
    compare: async () => null,
    uncompared: () => seen,
  };
}

function describeSurplus(events: number): string {
  return `${events} events of the store are neither in the chain nor new to it`;
}

/** The streams whose events are fewer than the chain's and the new ones together. */
async function nameLost(
  snapshot: StoreSnapshot,
  chainTable: StreamTable,
  own: StreamTable,
  differences: Differences,
): Promise<void> {
  const diff = await diffHeads(snapshot.readSummaries(), chainTable, differences);
  compareGrown(diff, chainTable, own, differences);
}

/** Stream by stream what lies behind the last version that the chain has. */
async function readByHeads(
  source: ChangeSource,
  options: IncrementalOptions,
  place: Place,
  headsReason: string,
): Promise<FoundChanges | Refusal> {
  const { snapshot, vault, chain } = source;
  const chainTable = await loadHeads(vault, chain);
  const differences = makeDifferences();
  const diff = await diffHeads(snapshot.readSummaries(), chainTable, differences);
  if (snapshot.versionsMayShift === true) return shifted(differences.report(), headsReason);
  const ranges = await snapshot.planTails(diff.tails);
  const batches = readInOrder(snapshot, ranges, readOptions(options));
  const fresh = dropKnown(batches, chainTable, compareHeadRows(chainTable, diff, differences));
  const found = await writeEvents(vault, fresh, options, place);
  const inexact = diff.inexact ?? compareGrown(diff, chainTable, found.table, differences);
  const refused = refusal(differences.report(), found.table, snapshot);
  if (refused !== null) return refused;
  if (inexact !== null) return { kind: 'full-needed', reason: `${headsReason}, and ${inexact}` };
  return { ...found, chainTable, headsReason, uncompared: 0 };
}

/** Events that moved to other versions are no loss, and a new full backup has them there. Streams that became shorter are one. */
function shifted(found: DifferenceReport, reason: string): Refusal {
  return found.events.lost > 0 ? { kind: 'differs', differences: found } : { kind: 'full-needed', reason };
}

/** Each tail begins with the last event that the chain has: it must be the same one. */
function compareHeadRows(chainTable: StreamTable, { grown }: HeadsDiff, differences: Differences): TakeKnown {
  return (batch, rows) => {
    const { starts, lengths } = batch.stream;
    for (const row of rows) {
      const index = findStream(chainTable, batch.bytes, starts[row]!, lengths[row]!);
      const version = batch.versions[row]!;
      // A range may hold other streams too: they have been compared by their heads.
      if (version !== chainTable.headVersion[index] || !grown.has(index)) continue;
      if (idText(batch, row).toLowerCase() === headId(chainTable, index).toLowerCase()) continue;
      differences.note(nameText(streamName(chainTable, index)), 'diverged', 1, version);
    }
  };
}

function idText(batch: EventBatch, row: number): string {
  if (batch.idKind === 'uuid') return formatUuid(batch.bytes, batch.id.starts[row]!);
  return nameText(spanBytes(batch, batch.id, row) ?? new Uint8Array());
}

function refusal(
  differences: DifferenceReport,
  own: StreamTable,
  { archivedAs }: StoreSnapshot,
): Refusal | null {
  if (!hasDifferences(differences)) return null;
  const reason = archivedAs === undefined ? null : whyArchived(differences, own, archivedAs);
  return reason === null ? { kind: 'differs', differences } : { kind: 'full-needed', reason };
}

function readOptions({ chunkBytes, signal }: IncrementalOptions): Parameters<StoreSnapshot['readRange']>[1] {
  return { batchBytes: chunkBytes, ...(signal === undefined ? {} : { signal }) };
}

/** There may be thousands of ranges, each for a thousand streams. */
async function* readInOrder(
  snapshot: StoreSnapshot,
  ranges: readonly StoreRange[],
  options: ReturnType<typeof readOptions>,
): AsyncGenerator<EventBatch> {
  for (const range of ranges) yield* snapshot.readRange(range, options);
}

/** Writes one event file; none when there is no event. */
async function writeEvents(
  vault: Vault,
  batches: AsyncIterable<EventBatch>,
  options: IncrementalOptions,
  place: Place,
): Promise<Pick<FoundChanges, 'file' | 'facts' | 'table' | 'stages'>> {
  const done = { events: 0, bytes: 0 };
  const onProgress = (events: number, bytes: number): void => {
    done.events += events;
    done.bytes += bytes;
    options.onProgress?.({ ...done, totalEvents: null, totalBytes: null });
  };
  const { format, compression, level, chunkBytes, signal } = options;
  const reader = { readRange: () => batches, close: async () => {} };
  const own = { ranges: [{ index: 0, spec: 'changes' }], isPass: false };
  const job: RangeJob = { ...place, ...own, format, compression, level, chunkBytes };
  const ports = { reader, vault, compressIn: 'pool' } as const;
  const { files, ...found } = await backUpRanges(ports, job, { onProgress, signal });
  return { ...found, file: files[0] ?? null };
}
