import { BackupError } from '../../core/errors.ts';
import type { EventRange } from '../../core/manifest.ts';
import { nameText } from '../../core/name-text.ts';
import { holdsVersion } from '../../core/stream-entry.ts';
import { findStream, releaseTable, streamName } from '../../core/stream-table.ts';
import { parseTime } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { searchStreams } from '../../format/chain-events.ts';
import { loadSomeHeads } from '../../format/chain-heads.ts';
import type { ChunkEvents } from '../../format/chunk-index.ts';
import { mayContain } from '../../format/stream-filter.ts';
import { compareBatch, NOTED, type NotedEvents } from './noted-events.ts';

/**
 * Finds out what a chain has in the place of each noted event, and sets its state. Read are the chunks that may hold one of them by its
 * time, its version and its stream's name together, those first that may hold most: what is found needs not be looked for in others. Of what
 * is not found so the heads tell whether the chain can have it at all; that is then looked for without its time, which may be another one in the
 * store. Throws `damaged`, also when the chain lacks what its heads say it has.
 */
export async function compareNoted(noted: NotedEvents, search: NotedSearch): Promise<void> {
  await searchBy(noted, search, countByTime(noted));
  if (!hasState(noted, NOTED.open)) return;
  await setByHeads(noted, search);
  if (!hasState(noted, NOTED.open)) return;
  await searchBy(noted, search, countByVersion(noted));
  const missing = noted.state.subarray(0, noted.count).indexOf(NOTED.open);
  if (missing !== -1) throw notInFiles(noted, missing);
}

export interface NotedSearch {
  readonly vault: Vault;
  readonly chain: Chain;
  readonly signal?: AbortSignal | undefined;
}

/** What tells which events a chunk, or a backup, may hold; a backup has no filter. */
type Holding = Omit<ChunkEvents, 'streams' | 'filter'> & { readonly filter: string | null };

/** How many of the noted events may be there; no more than `most` are counted. */
type CountIn = (holding: Holding, most: number) => number;

async function searchBy(
  noted: NotedEvents,
  { vault, chain, signal }: NotedSearch,
  count: CountIn,
): Promise<void> {
  const links = chain.filter(({ manifest: { eventRange } }) => {
    return eventRange !== null && count(holdingOf(eventRange), 1) > 0;
  });
  await searchStreams(vault, links, {
    names: () => 'all',
    take: (batch) => compareBatch(noted, batch),
    wants: (events) => count(events, 1) > 0,
    rank: (events) => -count(events, Number.POSITIVE_INFINITY),
    isDone: () => !UNSETTLED.some((state) => hasState(noted, state)),
    signal,
  });
}

function holdingOf({ earliestEvent, latestEvent, earliestVersion, latestVersion }: EventRange): Holding {
  const versions = { lowestVersion: Number(earliestVersion), highestVersion: Number(latestVersion) };
  return { earliest: earliestEvent, latest: latestEvent, ...versions, filter: null };
}

/** What was found to be otherwise may be there a second time, as it is: the store then had two of that version when it was backed up. */
const UNSETTLED: readonly number[] = [NOTED.open, NOTED.changed, NOTED.other];

function hasState({ state, count }: NotedEvents, wanted: number): boolean {
  return state.subarray(0, count).includes(wanted);
}

/** An event that the chain cannot have is not looked for any more. */
async function setByHeads(noted: NotedEvents, { vault, chain }: NotedSearch): Promise<void> {
  const open = new Set<number>();
  for (let at = 0; at < noted.count; at += 1) if (noted.state[at] === NOTED.open) open.add(noted.stream[at]!);
  const heads = await loadSomeHeads(vault, chain, (bytes, start, length) =>
    open.has(findStream(noted.streams, bytes, start, length)),
  );
  for (let at = 0; at < noted.count; at += 1) {
    if (noted.state[at] !== NOTED.open) continue;
    const name = streamName(noted.streams, noted.stream[at]!);
    const index = findStream(heads, name, 0, name.length);
    const version = noted.version[at]!;
    if (index === -1 || version > heads.headVersion[index]!) noted.state[at] = NOTED.later;
    else if (!holdsVersion(heads, index, version)) noted.state[at] = NOTED.unknown;
  }
  releaseTable(heads);
}

/** By the times of the noted events; these are sorted once. */
function countByTime(noted: NotedEvents): CountIn {
  const order = Uint32Array.from({ length: noted.count }, (_, at) => at);
  // Doubles keep the order of all times, and equal ones equal.
  const times = Float64Array.from(noted.time.subarray(0, noted.count), Number);
  order.sort((a, b) => times[a]! - times[b]!);
  return (events, most) => {
    const [earliest, latest] = [parseTime(events.earliest), parseTime(events.latest)];
    // A table may say anything.
    if (earliest === null || latest === null) return 1;
    const mayHold = inChunk(noted, events);
    const end = Number(latest);
    let found = 0;
    for (let i = firstFrom(times, order, Number(earliest)); i < order.length && found < most; i += 1) {
      const at = order[i]!;
      if (times[at]! > end) break;
      if (mayHold(at)) found += 1;
    }
    return found;
  };
}

/** For what no chunk of its time had; that is little. */
function countByVersion(noted: NotedEvents): CountIn {
  return (events, most) => {
    const mayHold = inChunk(noted, events);
    let found = 0;
    for (let at = 0; at < noted.count && found < most; at += 1) {
      if (noted.state[at] === NOTED.open && mayHold(at)) found += 1;
    }
    return found;
  };
}

function inChunk(
  { state, version, stream, streams }: NotedEvents,
  { lowestVersion, highestVersion, filter }: Holding,
): (at: number) => boolean {
  const bits = filter === null ? null : Buffer.from(filter, 'base64');
  return (at) => {
    if (!UNSETTLED.includes(state[at]!)) return false;
    if (version[at]! < lowestVersion || version[at]! > highestVersion) return false;
    return bits === null || mayContain(bits, streamName(streams, stream[at]!));
  };
}

/** The first place in the order whose time is not before this one. */
function firstFrom(times: Float64Array, order: Uint32Array, time: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[order[middle]!]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function notInFiles({ streams, stream, version }: NotedEvents, at: number): BackupError {
  const which = `version ${version[at]} of stream ${JSON.stringify(nameText(streamName(streams, stream[at]!)))}`;
  return new BackupError('damaged', `the heads of the chain name ${which}, which is in none of its backups`, {
    hint: 'run `eventcore verify`, then `eventcore backup full` to begin a new chain',
  });
}
