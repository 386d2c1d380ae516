import { BackupError } from '../core/errors.ts';
import { nameText } from '../core/name-text.ts';
import { holdsVersion } from '../core/stream-entry.ts';
import { findStream, releaseTable, streamName } from '../core/stream-table.ts';
import { parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { searchStreams } from '../format/chain-events.ts';
import { loadSomeHeads } from '../format/chain-heads.ts';
import type { ChunkEvents } from '../format/chunk-index.ts';
import { mayContain } from '../format/stream-filter.ts';
import { compareBatch, NOTED, type NotedEvents } from './noted-events.ts';

/**
 * Finds out what a chain has in the place of each noted event, and sets its state. Read are the chunks that may hold one of them by its
 * time, its version and its stream's name together; what is not found so, as its time in the store is another one, is looked for without its
 * time. Throws `damaged`, also when the chain lacks what its heads say it has.
 */
export async function compareNoted(
  noted: NotedEvents,
  { vault, chain, signal }: { vault: Vault; chain: Chain; signal?: AbortSignal | undefined },
): Promise<void> {
  await setByHeads(noted, vault, chain);
  for (const wants of [byTime(noted), byVersion(noted)]) {
    if (!hasOpen(noted)) return;
    const take = (batch: Parameters<typeof compareBatch>[1]): void => compareBatch(noted, batch);
    await searchStreams(vault, chain, { names: () => 'all', take, wants, signal });
  }
  const missing = noted.state.indexOf(NOTED.open);
  if (missing !== -1 && missing < noted.count) throw notInFiles(noted, missing);
}

/** An event that the chain cannot have is not looked for. */
async function setByHeads(noted: NotedEvents, vault: Vault, chain: Chain): Promise<void> {
  const isNoted = (bytes: Uint8Array, start: number, length: number): boolean =>
    findStream(noted.streams, bytes, start, length) !== -1;
  const heads = await loadSomeHeads(vault, chain, isNoted);
  for (let at = 0; at < noted.count; at += 1) {
    const name = streamName(noted.streams, noted.stream[at]!);
    const index = findStream(heads, name, 0, name.length);
    const version = noted.version[at]!;
    if (index === -1 || version > heads.headVersion[index]!) noted.state[at] = NOTED.later;
    else if (!holdsVersion(heads, index, version)) noted.state[at] = NOTED.unknown;
  }
  releaseTable(heads);
}

function hasOpen({ state, count }: NotedEvents): boolean {
  const at = state.indexOf(NOTED.open);
  return at !== -1 && at < count;
}

/** Wants chunks by the times of the noted events; these are sorted once. */
function byTime(noted: NotedEvents): (events: ChunkEvents) => boolean {
  const order = Uint32Array.from({ length: noted.count }, (_, at) => at);
  // Doubles keep the order of all times, and equal ones equal.
  const times = Float64Array.from(noted.time.subarray(0, noted.count), Number);
  order.sort((a, b) => times[a]! - times[b]!);
  return (events) => {
    const [earliest, latest] = [parseTime(events.earliest), parseTime(events.latest)];
    // A table may say anything.
    if (earliest === null || latest === null) return true;
    const mayHold = inChunk(noted, events);
    const end = Number(latest);
    for (let i = firstFrom(times, order, Number(earliest)); i < order.length; i += 1) {
      const at = order[i]!;
      if (times[at]! > end) return false;
      if (mayHold(at)) return true;
    }
    return false;
  };
}

/** Wants chunks for what no chunk of its time had; that is little. */
function byVersion(noted: NotedEvents): (events: ChunkEvents) => boolean {
  return (events) => {
    const mayHold = inChunk(noted, events);
    for (let at = 0; at < noted.count; at += 1) {
      if (noted.state[at] === NOTED.open && mayHold(at)) return true;
    }
    return false;
  };
}

function inChunk(
  { state, version, stream, streams }: NotedEvents,
  { lowestVersion, highestVersion, filter }: ChunkEvents,
): (at: number) => boolean {
  const bits = Buffer.from(filter, 'base64');
  return (at) => {
    // What was found otherwise may be there a second time, as it is.
    if (state[at] !== NOTED.open && state[at] !== NOTED.changed && state[at] !== NOTED.other) return false;
    if (version[at]! < lowestVersion || version[at]! > highestVersion) return false;
    return mayContain(bits, streamName(streams, stream[at]!));
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
