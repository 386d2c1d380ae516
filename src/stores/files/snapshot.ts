import { BackupError } from '../../core/errors.ts';
import type {
  StoreCursor,
  StoreRange,
  StoreSnapshot,
  StreamSummary,
  StreamTail,
} from '../../core/event-store.ts';
import { nameBytes } from '../../core/name-text.ts';
import { bucketFilter } from '../../core/stream-bucket.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { companionRows, readLocalState } from './companions.ts';
import type { FilesConfig } from './config.ts';
import { type EventSlice, readBatches } from './events.ts';
import { countEvents, digestOf, type History, loadHistory } from './history.ts';

const BLOCK_EVENTS = 512;
const NO_RANGES = 'files are read in the order of the history, which later ones may change';

/**
 * A set of transactions that is closed under parents. Files never change, so nothing has to be held for it; each file is held against
 * what it was when it is read again.
 */
export async function openFilesSnapshot(config: FilesConfig): Promise<StoreSnapshot> {
  const local = await readLocalState(config);
  const history = await loadHistory(config);
  const events = countEvents(history);
  const { transactions, starts } = history;
  const cursor: StoreCursor = {
    ...{ kind: 'files', events, transactions: transactions.length },
    digest: digestOf(history, transactions.length),
  };
  return {
    token: null,
    servesJoined: false,
    cursor,
    // Where changes are planned, the transactions that were there are the same ones still, byte for byte.
    showsRewritten: true,
    versionsMayShift: true,
    settledCursor: async () => cursor,
    estimate: async () => ({ events, bytes: null }),
    planRanges: async () => [sliceRange({ from: 0, to: events })],
    planChanges: async (since) => {
      const known = whatIsNew(history, since);
      return typeof known === 'string' ? known : [sliceRange({ from: starts[known]!, to: events })];
    },
    planChangesIn: async () => NO_RANGES,
    planTails: async (tails) => planTails(history, tails),
    planBlocks: async () => ({
      blocks: Math.max(1, Math.ceil(events / BLOCK_EVENTS)),
      range: (block) => {
        const from = Math.min(events, block * BLOCK_EVENTS);
        return sliceRange({ from, to: Math.min(events, from + BLOCK_EVENTS) }, block);
      },
    }),
    countEvents: async () => events,
    readSummaries: async function* ({ sample } = {}) {
      const isWanted = sample === undefined ? () => true : bucketFilter(sample);
      for (const summary of summariesOf(history)) if (isWanted(nameBytes(summary.streamId))) yield summary;
    },
    readRange: (range, options) => readBatches(history, parseRange(range), options),
    readCompanions: () => companionRows(history, local),
    close: async () => {},
  };
}

/** By stream in byte order of the names. */
export function summariesOf({ streams }: History): StreamSummary[] {
  return streams
    .map(({ streamId, events, lastEventId }) => ({
      ...{ streamId, events, firstVersion: 1, lastVersion: events, lastEventId },
    }))
    .sort((a, b) => compareUtf8(a.streamId, b.streamId));
}

/**
 * How many of the first transactions a cursor's view held, when they are all that it held: then each of their events has the version
 * that it had, since versions follow from what comes before. Else why not.
 */
function whatIsNew(history: History, since: StoreCursor): number | string {
  const { kind, transactions: count, digest } = since;
  if (kind !== 'files' || typeof count !== 'number') return 'the last backup is not of a store in files';
  if (count > history.transactions.length)
    return `of ${count} transactions that were backed up, ${history.transactions.length} at most are there`;
  if (digestOf(history, count) === digest) return count;
  return 'transactions came in between those that were backed up, as in a merge of replicas, or these were changed: events have other versions now';
}

function planTails(history: History, tails: readonly StreamTail[]): StoreRange[] {
  const from = new Map(tails.map(({ streamId, fromVersion }) => [streamId, fromVersion]));
  const wanted = history.streams.map(({ streamId }) => from.get(streamId) ?? Number.POSITIVE_INFINITY);
  const { versions, streamOf } = history;
  const first = versions.findIndex((version, event) => version >= wanted[streamOf[event]!]!);
  return first === -1 ? [] : [sliceRange({ from: first, to: versions.length })];
}

function sliceRange({ from, to }: EventSlice, index = 0): StoreRange {
  return { index, spec: `${from}-${to}` };
}

function parseRange({ spec }: StoreRange): EventSlice {
  const match = /^(\d+)-(\d+)$/.exec(spec);
  if (match === null) throw new BackupError('internal', `not a range of files: ${spec}`);
  return { from: Number(match[1]), to: Number(match[2]) };
}
