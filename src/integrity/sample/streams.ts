import { isBackupError, throwIfAborted } from '../../core/errors.ts';
import type { StoreSnapshot, StreamSummary } from '../../core/event-store.ts';
import type { Finding } from '../../core/finding.ts';
import type { StreamSample } from '../../core/inspection.ts';
import { nameBytes, nameText } from '../../core/name-text.ts';
import { bucketFilter, bucketOf } from '../../core/stream-bucket.ts';
import { pickStreams, selectStreams } from '../../core/stream-selection.ts';
import {
  addBatch,
  findStream,
  headId,
  makeStreamTable,
  releaseTable,
  type StreamFacts,
  type StreamTable,
  streamFacts,
  streamName,
} from '../../core/stream-table.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { loadSomeHeads } from '../../format/chain-heads.ts';
import { eventBytes } from '../batch-bytes.ts';
import type { FindingList } from '../finding-list.ts';
import { countVersions, runsOf, splitRuns, type VersionRun, withoutRuns } from './version-runs.ts';

export interface StreamSampling {
  readonly snapshot: StoreSnapshot;
  readonly vault: Vault;
  /** Older than the view: whatever it has, the view must have. */
  readonly chain: Chain;
  readonly sample: StreamSample;
  readonly findings: FindingList;
  /** Told how much was read of the store, as far as that is known. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Holds what a store has of each stream of some buckets against the heads of a chain. Where the numbers of a stream do not add up, the versions
 * of its events are looked at, in the same view. Gives how many streams were compared.
 *
 * What a store has gained since is no finding; nor are gaps that the chain has too, nor gaps behind what the chain has: whether there ever was
 * something, no backup knows.
 */
export async function sampleStreams(sampling: StreamSampling): Promise<number> {
  const { vault, chain, sample, findings } = sampling;
  const heads = await loadSomeHeads(vault, chain, bucketFilter(sample));
  try {
    return await compareStreams(sampling, heads);
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    findings.add(unreadable(error));
    return 0;
  } finally {
    releaseTable(heads);
  }
}

async function compareStreams(sampling: StreamSampling, heads: StreamTable): Promise<number> {
  const { snapshot, sample, pace, signal } = sampling;
  const seen = new Uint8Array(heads.count);
  const suspects: Suspect[] = [];
  let streams = 0;
  for await (const live of snapshot.readSummaries({ sample })) {
    throwIfAborted(signal);
    streams += 1;
    if (streams % SUMMARIES_PER_PACE === 0) await pace(SUMMARIES_PER_PACE * SUMMARY_BYTES);
    const name = nameBytes(live.streamId);
    const index = findStream(heads, name, 0, name.length);
    if (index === -1) continue;
    seen[index] = 1;
    if (!isSound(heads, index, live)) suspects.push({ index, live });
  }
  for (let index = 0; index < heads.count; index += 1) {
    if (seen[index] === 0) addMissing(sampling, heads, index);
  }
  await lookCloser(sampling, heads, suspects);
  return streams;
}

const SUMMARIES_PER_PACE = 1000;
/** What a store reads for one, roughly: entries of an index. */
const SUMMARY_BYTES = 512;

/** A stream that has not just as many events as it must have. */
interface Suspect {
  readonly index: number;
  readonly live: StreamSummary;
}

/** Whether a stream is as the chain has it, or that and a whole tail: told by numbers alone. */
function isSound(heads: StreamTable, index: number, live: StreamSummary): boolean {
  const gained = live.lastVersion - heads.headVersion[index]!;
  if (gained < 0 || live.events !== heads.events[index]! + gained) return false;
  if (
    live.firstVersion !== heads.runFirst[index]! &&
    live.firstVersion !== streamFacts(heads, index).firstVersion
  )
    return false;
  return gained > 0 || live.lastEventId.toLowerCase() === headId(heads, index).toLowerCase();
}

function addMissing(sampling: StreamSampling, heads: StreamTable, index: number): void {
  const { events, firstVersion } = streamFacts(heads, index);
  addFinding(sampling, streamName(heads, index), {
    ...{ check: 'stream_missing', version: firstVersion, events, repair: 'reinstate_events' },
    text: `is not in the store any more: ${counted(events)} of the backup gone`,
  });
}

/** Streams whose events are looked at in one go, and in all: more than these are judged by their numbers. */
const LOOKS_AT_ONCE = 200;
const MOST_LOOKS = 1000;
const MOST_EVENTS = 2_000_000;

async function lookCloser(
  sampling: StreamSampling,
  heads: StreamTable,
  suspects: readonly Suspect[],
): Promise<void> {
  let events = 0;
  const near: Suspect[] = [];
  for (const suspect of suspects) {
    events += suspect.live.events;
    if (near.length < MOST_LOOKS && events <= MOST_EVENTS) near.push(suspect);
    else judgeByNumbers(sampling, heads, suspect);
  }
  for (let start = 0; start < near.length; start += LOOKS_AT_ONCE) {
    throwIfAborted(sampling.signal);
    const some = near.slice(start, start + LOOKS_AT_ONCE);
    const live = await readVersions(sampling, some);
    for (const suspect of some) judge(sampling, heads, live, suspect);
    releaseTable(live);
  }
}

const BATCH_BYTES = 1 << 20;

/** What the view has of these streams, exactly. */
async function readVersions(
  { snapshot, pace, signal }: StreamSampling,
  suspects: readonly Suspect[],
): Promise<StreamTable> {
  const table = makeStreamTable(suspects.length);
  const selection = selectStreams(suspects.map(({ live }) => live.streamId));
  const tails = suspects.map(({ live: { streamId, firstVersion } }) => ({
    streamId,
    fromVersion: firstVersion,
  }));
  const options = { batchBytes: BATCH_BYTES, ...(signal === undefined ? {} : { signal }) };
  for (const range of await snapshot.planTails(tails)) {
    for await (const batch of snapshot.readRange(range, options)) {
      const own = pickStreams(batch, selection);
      if (own !== null) addBatch(table, own);
      await pace(eventBytes(batch));
    }
  }
  return table;
}

function judge(sampling: StreamSampling, heads: StreamTable, live: StreamTable, { index }: Suspect): void {
  const name = streamName(heads, index);
  const at = findStream(live, name, 0, name.length);
  // The index may name rows that the table has no more.
  if (at === -1) {
    addMissing(sampling, heads, index);
    return;
  }
  const [had, has] = [streamFacts(heads, index), streamFacts(live, at)];
  const gone = splitRuns(withoutRuns(runsOf(had), runsOf(has)), has.lastVersion);
  addRuns(sampling, name, gone.behind, {
    ...{ check: 'stream_shortened', repair: 'reinstate_events' },
    text: (events) =>
      `ends at version ${has.lastVersion} in the store, at ${had.lastVersion} in the backup: ${events} gone`,
  });
  addRuns(sampling, name, gone.upTo, {
    ...{ check: 'stream_gap', repair: 'reinstate_events' },
    text: (events, first) => `lacks ${events} that the backup has, from version ${first} on`,
  });
  const appeared = splitRuns(withoutRuns(runsOf(has), runsOf(had)), had.lastVersion).upTo;
  addRuns(sampling, name, appeared, {
    ...{ check: 'event_unknown', repair: null },
    text: (events, first) =>
      `has ${events} from version ${first} on where the backup has none, before others that it has; a person has to say whether they belong there`,
  });
  addDuplicates(sampling, name, { had, has });
  if (has.lastVersion === had.lastVersion)
    compareHeads(sampling, name, headId(heads, index), headId(live, at), had);
}

function addDuplicates(
  sampling: StreamSampling,
  name: Uint8Array,
  { had, has }: { readonly had: StreamFacts; readonly has: StreamFacts },
): void {
  const events = has.duplicates - had.duplicates;
  if (events <= 0) return;
  addFinding(sampling, name, {
    ...{ check: 'stream_duplicates', version: null, events, repair: 'remove_copies' },
    text: `has ${counted(events)} more than versions, in the backup ${had.duplicates}`,
  });
}

function compareHeads(
  sampling: StreamSampling,
  name: Uint8Array,
  had: string,
  has: string,
  { lastVersion, duplicates }: StreamFacts,
): void {
  // Of several events with the last version either may be named as the last one.
  if (had.toLowerCase() === has.toLowerCase() || duplicates > 0) return;
  addFinding(sampling, name, {
    ...{ check: 'head_differs', version: lastVersion, eventId: has, events: 1, repair: null },
    text: `ends with event ${has} in the store, with ${had} in the backup; a person has to say which of them is right`,
  });
}

/** What is certain without a look at the versions. */
function judgeByNumbers(sampling: StreamSampling, heads: StreamTable, { index, live }: Suspect): void {
  const name = streamName(heads, index);
  const had = streamFacts(heads, index);
  const events = had.events - live.events;
  const isShort = live.lastVersion < had.lastVersion;
  if (!isShort && events <= 0) return;
  addFinding(sampling, name, {
    check: isShort ? 'stream_shortened' : 'stream_gap',
    version: isShort ? live.lastVersion + 1 : null,
    events: Math.max(1, events),
    repair: 'reinstate_events',
    text: `has ${counted(live.events)} up to version ${live.lastVersion} in the store, ${had.events} up to ${had.lastVersion} in the backup`,
  });
}

function addRuns(
  sampling: StreamSampling,
  name: Uint8Array,
  runs: readonly VersionRun[],
  about: Pick<About, 'check' | 'repair'> & { readonly text: (events: string, first: number) => string },
): void {
  if (runs.length === 0) return;
  const events = countVersions(runs);
  const version = runs[0]![0];
  addFinding(sampling, name, { ...about, version, events, text: about.text(counted(events), version) });
}

interface About {
  readonly check: string;
  readonly version: number | null;
  readonly eventId?: string;
  readonly events: number;
  readonly repair: Finding['repair'];
  readonly text: string;
}

function addFinding({ findings, sample }: StreamSampling, name: Uint8Array, about: About): void {
  const { check, version, eventId = null, events, repair, text } = about;
  const streamId = nameText(name);
  findings.add({
    ...{ check, rung: 'streams', severity: 'damage', streamId, eventId, object: null, events, repair },
    version: version === null ? null : String(version),
    place: { kind: 'bucket', number: bucketOf(sample, name) },
    message: `stream ${JSON.stringify(streamId)} ${text}`,
  });
}

function unreadable({ message }: Error): Finding {
  return {
    ...{ check: 'streams_unreadable', rung: 'streams', severity: 'damage', repair: null, events: 0 },
    ...{ streamId: null, version: null, eventId: null, object: null, place: null },
    message: `what there is of each stream cannot be read: ${message}`,
  };
}

function counted(events: number): string {
  return events === 1 ? '1 event' : `${events} events`;
}
