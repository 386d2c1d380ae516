import type { Clock } from '../core/clock.ts';
import type { Salvage, SalvageRecovery } from '../core/disaster-ports.ts';
import { isBackupError } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import type { EventStore } from '../core/event-store.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { addToContentDigest, contentDigestText, makeContentDigest } from '../format/content-digest.ts';
import { runFolder } from '../format/disaster-journal.ts';
import { listSalvages, type SalvageRecord, salvageFileNames } from '../format/disaster-salvage.ts';
import type { ReadKeys } from '../format/open-bundle.ts';
import { keyedDigest, type Seal, type SealKey } from '../format/seal.ts';
import { findGhostsIn } from './ghosts.ts';
import { recordVanished, type WrittenSalvage } from './salvage-epoch.ts';
import {
  openSalvageFiles,
  openSalvageSeal,
  readSalvagedStreams,
  type SalvageWriter,
} from './salvage-files.ts';
import { findLost, type KnownVersions, type SalvageSide, type SalvageSides } from './salvage-find.ts';
import { type EventLookup, openLookup } from './salvage-lookup.ts';
import { mergeLost } from './salvage-merge.ts';
import { type SalvagedStream, spanOf, sumUp } from './salvage-table.ts';

export interface SalvagePorts {
  /** The store that is given up: nobody writes to it any longer. Only read. */
  readonly old: EventStore;
  /** The store that is gone on with. */
  readonly fresh: EventStore;
  readonly vault: Vault;
  readonly keys: ReadKeys;
  readonly clock: Clock;
  readonly software: string;
  /** How events are found by their ids; left out: the store is asked in its own SQL. */
  readonly lookup?: (store: EventStore) => EventLookup;
}

export interface SalvageOptions {
  readonly planId: string;
  readonly merge: boolean;
  readonly recovery: SalvageRecovery;
  readonly signal: AbortSignal;
  readonly onStep?: (step: string) => void;
}

export interface SalvageReport extends Salvage {
  /** Events that both have under one id with other content: not counted as lost. */
  readonly differing: number;
  /** What became of each stream, in byte order of their names. */
  readonly table: readonly SalvagedStream[];
}

/**
 * Finds the events that only the old store has, by their ids, and writes them into the vault before anything is merged. Done again it finds
 * the same and writes nothing more: what a former run merged counts as found, by what that run wrote down. When the merge is over, an epoch
 * record says which events vanished.
 */
export async function salvage(ports: SalvagePorts, options: SalvageOptions): Promise<SalvageReport> {
  for (let race = 1; ; race += 1) {
    try {
      return await salvageOnce(ports, options);
    } catch (error) {
      // Somebody else wrote his files meanwhile: they are found now.
      if (!isBackupError(error, 'vault_object_exists') || race === MOST_RACES) throw error;
    }
  }
}

const MOST_RACES = 3;

async function salvageOnce(ports: SalvagePorts, options: SalvageOptions): Promise<SalvageReport> {
  const { report, written } = await findAndMerge(ports, options);
  const told = written === null ? NOTHING_VANISHED : await tellConsumers(ports, written, options);
  return { ...report, ...told };
}

const NOTHING_VANISHED = { vanished: 0, epochRecord: null, ghosts: [] };

/** After the merge: what it brought has not vanished. Connections are new ones, which see it. */
async function tellConsumers(
  { vault, fresh, clock, lookup = openLookup }: SalvagePorts,
  written: WrittenSalvage,
  { recovery, signal, onStep }: SalvageOptions,
): Promise<Pick<Salvage, 'vanished' | 'epochRecord' | 'ghosts'>> {
  onStep?.('recording which events vanished');
  const own = lookup(fresh);
  try {
    const place = { vault, fresh, lookup: own, now: nowText(clock) };
    const { events, epochRecord } = await recordVanished(place, written, recovery, { signal });
    const ghosts = events === 0 ? [] : await findGhostsIn(fresh, signal);
    return { vanished: events, epochRecord, ghosts };
  } finally {
    await own.close();
  }
}

function nowText(clock: Clock): string {
  return formatTime(timeFromUnixMs(clock.now()), 3);
}

interface Merged {
  readonly report: Omit<SalvageReport, 'vanished' | 'epochRecord' | 'ghosts'>;
  /** Null where nothing was found. */
  readonly written: WrittenSalvage | null;
}

async function findAndMerge(ports: SalvagePorts, options: SalvageOptions): Promise<Merged> {
  const { vault, keys, old } = ports;
  const former = (await listSalvages(vault, options.planId)).findLast(({ from }) => from === old.address);
  const seal = former === undefined ? null : await openSalvageSeal(vault, former, keys);
  const known = former === undefined ? new Map() : await readKnown(vault, former, seal);
  return withSides(ports, async (sides) => {
    options.onStep?.('comparing the old store with the new one');
    const found = await findAndWrite(ports, sides, options, { former, seal, known });
    const { streams: table, written } = found;
    const totals = sumUp(table);
    const { events, streams, conflicts, merged, differing } = totals;
    if (options.merge) options.onStep?.('merging what conflicts with nothing');
    const added = options.merge ? await mergeLost(sides, table, options.signal) : 0;
    const report = {
      ...{ events, streams, conflicts, merged: merged + added, differing },
      ...{ spanMs: spanOf(totals), object: written === null ? null : eventsObject(written.record), table },
    };
    return { report, written };
  });
}

async function readKnown(vault: Vault, former: SalvageRecord, seal: Seal | null): Promise<KnownVersions> {
  const known = new Map<string, { first: number; last: number }>();
  for await (const { streamId, firstVersion, lastVersion, verdict } of readSalvagedStreams(
    vault,
    former,
    seal,
  )) {
    if (verdict !== 'mergeable' || firstVersion === null || lastVersion === null) continue;
    known.set(streamId, { first: firstVersion, last: lastVersion });
  }
  return known;
}

async function withSides<Result>(
  { old, fresh, lookup = openLookup }: SalvagePorts,
  work: (sides: SalvageSides) => Promise<Result>,
): Promise<Result> {
  const opened: SalvageSide[] = [];
  try {
    for (const store of [old, fresh])
      opened.push({ store, snapshot: await store.openSnapshot(), lookup: lookup(store) });
    return await work({ old: opened[0]!, fresh: opened[1]! });
  } finally {
    for (const side of opened) {
      await side.snapshot.close();
      await side.lookup.close();
    }
  }
}

interface Former {
  readonly former: SalvageRecord | undefined;
  readonly seal: Seal | null;
  readonly known: KnownVersions;
}

interface Found {
  readonly streams: readonly SalvagedStream[];
  readonly written: WrittenSalvage | null;
}

async function findAndWrite(
  ports: SalvagePorts,
  sides: SalvageSides,
  options: SalvageOptions,
  { former, seal, known }: Former,
): Promise<Found> {
  const { planId, signal } = options;
  if (former !== undefined) {
    const notes = makeNotes();
    const streams = await findLost(sides, { known, signal, take: async (batch) => notes.add(batch) });
    if (digestText(notes, seal?.key ?? null) === former.contentDigest)
      return { streams, written: { record: former, seal } };
  }
  const notes = makeNotes();
  const createdAt = nowText(ports.clock);
  const place = { vault: ports.vault, keys: ports.keys, planId, software: ports.software };
  let writer: SalvageWriter | null = null;
  try {
    const streams = await findLost(sides, {
      ...{ known, signal },
      take: async (batch) => {
        writer ??= await openSalvageFiles(place, createdAt);
        notes.add(batch);
        await writer.add(batch);
      },
    });
    return { streams, written: await finish(ports, writer, streams, notes, createdAt) };
  } catch (error) {
    await (writer as SalvageWriter | null)?.abort();
    throw error;
  }
}

function eventsObject({ planId, number, sealing }: SalvageRecord): string {
  return runFolder(planId) + salvageFileNames(number, sealing !== null).events;
}

async function finish(
  { old, fresh }: SalvagePorts,
  writer: SalvageWriter | null,
  streams: readonly SalvagedStream[],
  notes: Notes,
  createdAt: string,
): Promise<WrittenSalvage | null> {
  if (writer === null) return null;
  const seal = writer.seal?.data ?? null;
  const { merged: _, streams: count, ...totals } = sumUp(streams);
  const record = await writer.finish(streams, {
    ...{ createdAt, from: old.address, into: fresh.address, streams: count, ...totals },
    contentDigest: digestText(notes, seal?.key ?? null),
  });
  return { record, seal };
}

interface Notes {
  add(batch: EventBatch): void;
  text(): string;
}

function makeNotes(): Notes {
  const digest = makeContentDigest();
  return {
    add: (batch) => addToContentDigest(digest, batch),
    text: () => `${digest.events} ${contentDigestText(digest)}`,
  };
}

/** Of a sealed salvage only who can open it may know whether the content is one that he guesses. */
function digestText(notes: Notes, key: SealKey | null): string {
  return key === null ? notes.text() : keyedDigest(key, `eventcore salvage content 1\n${notes.text()}`);
}
