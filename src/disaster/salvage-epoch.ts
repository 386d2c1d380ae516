import crypto from 'node:crypto';
import type { SalvageRecovery } from '../core/disaster-ports.ts';
import { isBackupError, throwIfAborted } from '../core/errors.ts';
import { spanBytes } from '../core/event-batch.ts';
import { idText } from '../core/event-id.ts';
import type { EventStore } from '../core/event-store.ts';
import { nameText } from '../core/name-text.ts';
import { formatTime } from '../core/time.ts';
import { formatUuid } from '../core/uuid-text.ts';
import type { Vault } from '../core/vault.ts';
import type { SalvageRecord } from '../format/disaster-salvage.ts';
import { epochName, MOST_VANISHED_IDS, writeEpoch } from '../format/epoch.ts';
import { makeJsonlDecoder } from '../format/jsonl-decode.ts';
import type { Seal } from '../format/seal.ts';
import { readSalvagedEvents } from './salvage-files.ts';
import type { EventLookup } from './salvage-lookup.ts';

/** A salvage as it lies in the vault, and what opens it. */
export interface WrittenSalvage {
  readonly record: SalvageRecord;
  /** Null: it is not sealed. */
  readonly seal: Seal | null;
}

export interface VanishedPlace {
  readonly vault: Vault;
  /** The store that is gone on with. */
  readonly fresh: EventStore;
  readonly lookup: EventLookup;
  /** RFC 3339: stands in the record where nobody knows when the new store took over. */
  readonly now: string;
}

export interface VanishedOptions {
  readonly signal: AbortSignal;
  /** Ids that are listed; of more, only the first and the last one. */
  readonly mostIds?: number;
}

export interface Vanished {
  /** Events of the salvage that the new store does not have. */
  readonly events: number;
  /** Name of the epoch record; null when nothing had ever vanished. */
  readonly epochRecord: string | null;
}

/**
 * Writes for consumers which events of a salvage the new store does not have, once its merge is over. The name is made of the plan and of
 * the ids that the salvage found: whoever does it again, or at the same time, finds the record there, and a run that died before is
 * completed by the next one. What is merged later is no reason for another record: the store has it again.
 */
export async function recordVanished(
  place: VanishedPlace,
  salvage: WrittenSalvage,
  recovery: SalvageRecovery,
  options: VanishedOptions,
): Promise<Vanished> {
  const found = await findVanished(place, salvage, options);
  const { vault } = place;
  const epoch = epochOf(salvage.record.planId, found.digest);
  if (found.events === 0)
    return {
      events: 0,
      epochRecord: (await vault.stat(epochName(epoch))) === null ? null : epochName(epoch),
    };
  const { first, last } = found;
  try {
    await writeEpoch(vault, {
      epoch,
      recoveredAt: recovery.recoveredAt ?? place.now,
      store: place.fresh.address,
      chain: [],
      target: `${recovery.strategy} by plan ${salvage.record.planId}`,
      ...{ reachedTime: formatTime(first!.time), reachedLsn: null, cutLsn: recovery.cutLsn },
      vanished: {
        ...{ events: found.events, firstId: first!.id, lastId: last!.id },
        ids: found.listed === null ? null : found.listed.sort(compareEvents).map(({ id }) => id),
      },
    });
  } catch (error) {
    if (!isBackupError(error, 'vault_object_exists')) throw error;
  }
  return { events: found.events, epochRecord: epochName(epoch) };
}

interface LostEvent {
  readonly id: string;
  readonly streamId: string;
  readonly version: number;
  /** Microseconds since 2000. */
  readonly time: bigint;
}

interface FoundVanished {
  events: number;
  first: LostEvent | null;
  last: LostEvent | null;
  /** Null when they are too many to be listed. */
  listed: LostEvent[] | null;
  /** Of the ids of all events of the salvage, in any order. */
  readonly digest: Buffer;
}

/** The store is asked, and not the merge: what a run that died has merged, and what writers appended again, is there. */
async function findVanished(
  { vault, lookup }: VanishedPlace,
  { record, seal }: WrittenSalvage,
  { signal, mostIds = MOST_VANISHED_IDS }: VanishedOptions,
): Promise<FoundVanished> {
  const found: FoundVanished = { events: 0, first: null, last: null, listed: [], digest: Buffer.alloc(32) };
  const decode = makeJsonlDecoder();
  for await (const lines of readSalvagedEvents(vault, record, seal)) {
    throwIfAborted(signal);
    const events = eventsOf(decode(lines));
    const there = await lookup.find(
      events.map(({ id }) => id),
      'places',
      signal,
    );
    for (const event of events) {
      addToDigest(found.digest, event.id);
      if (!there.has(event.id.toLowerCase())) note(found, event, mostIds);
    }
  }
  return found;
}

function eventsOf(batch: ReturnType<ReturnType<typeof makeJsonlDecoder>>): LostEvent[] {
  return Array.from({ length: batch.count }, (_, row) => ({
    id: idText(batch, row),
    streamId: nameText(spanBytes(batch, batch.stream, row)!),
    version: batch.versions[row]!,
    time: batch.times[row]!,
  }));
}

function note(found: FoundVanished, event: LostEvent, mostIds: number): void {
  found.events += 1;
  if (found.first === null || compareEvents(event, found.first) < 0) found.first = event;
  if (found.last === null || compareEvents(event, found.last) > 0) found.last = event;
  if (found.events > mostIds) found.listed = null;
  found.listed?.push(event);
}

/** By time; of one time, in the order of their stream. */
function compareEvents(a: LostEvent, b: LostEvent): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.streamId !== b.streamId) return a.streamId < b.streamId ? -1 : 1;
  return a.version - b.version;
}

function addToDigest(digest: Buffer, id: string): void {
  const one = crypto.hash('sha256', id.toLowerCase(), 'buffer');
  for (let i = 0; i < digest.length; i += 1) digest[i]! ^= one[i]!;
}

/** A UUID of version 8: made of what it stands for. */
function epochOf(planId: string, digest: Buffer): string {
  const bytes = crypto.hash(
    'sha256',
    `eventcore vanished 1\n${planId}\n${digest.toString('hex')}\n`,
    'buffer',
  );
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return formatUuid(bytes, 0);
}
