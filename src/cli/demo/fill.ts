import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { StreamAppend } from '../../core/event.ts';
import type { EventStore } from '../../core/event-store.ts';
import { generateAppends } from '../../testing/event-generator.ts';
import { withStore } from '../context.ts';

export interface Filled {
  readonly address: string;
  /** The tables were made for it. */
  readonly created: boolean;
  readonly added: number;
  readonly events: number;
  readonly streams: number;
}

const SEED = 20_240_101;
const BATCH_EVENTS = 100;
/** What was added before is gone through again: a store with more is none to try things out on. */
const MOST_EVENTS = 2_000_000;

/**
 * Appends about so many events of a made-up shop, as an application would, now; where it did before, what happened next. Throws `usage` for a
 * store with other events in it: nobody's own are played with.
 */
export function fillStore(address: string, events: number, signal: AbortSignal): Promise<Filled> {
  return withStore(address, async (store) => {
    const created = (await store.inspect()).state === 'missing';
    if (created) await store.initialise();
    const history = generateAppends({ seed: SEED, events: MOST_EVENTS });
    await passOver(history, store);
    let added = 0;
    while (added < events) {
      throwIfAborted(signal);
      const appends = takeBatch(history, Math.min(BATCH_EVENTS, events - added));
      await store.append(appends);
      added += countEvents(appends);
    }
    return { address: store.address, created, added, ...(await store.count()) };
  });
}

/** Takes from the history what the store has already. */
async function passOver(history: Generator<StreamAppend[]>, store: EventStore): Promise<void> {
  const { events, streams } = await store.count();
  const seen = new Set<string>();
  let last: StreamAppend[] = [];
  for (let passed = 0; passed < events; passed += countEvents(last)) {
    const { value, done } = history.next();
    if (done === true) throw otherEvents(store.address);
    last = value;
    for (const { streamId } of last) seen.add(streamId);
  }
  const heads = await Promise.all(last.map(({ streamId }) => store.findStream(streamId)));
  const isSame = last.every((append, at) => heads[at]?.lastVersion === headAfter(append));
  if (seen.size !== streams || !isSame) throw otherEvents(store.address);
}

/** Transactions with about so many events as one: a disk takes its time for each. Ids of the shop have the time of the shop: they are left out. */
function takeBatch(history: Generator<StreamAppend[]>, events: number): StreamAppend[] {
  const merged = new Map<string, StreamAppend>();
  for (let taken = 0; taken < events; ) {
    const { value, done } = history.next();
    if (done === true) break;
    for (const append of value) {
      const before = merged.get(append.streamId);
      const added = append.events.map(({ id: _, ...event }) => event);
      merged.set(append.streamId, { ...(before ?? append), events: [...(before?.events ?? []), ...added] });
    }
    taken += countEvents(value);
  }
  return [...merged.values()];
}

function headAfter({ expectedVersion, events }: StreamAppend): number {
  return Number(expectedVersion) + events.length;
}

function otherEvents(address: string): BackupError {
  return new BackupError('usage', `${address} has events that are not of the made-up shop`, {
    hint: 'name an empty store, or one that is not there yet',
  });
}

function countEvents(appends: readonly StreamAppend[]): number {
  return appends.reduce((sum, { events }) => sum + events.length, 0);
}
