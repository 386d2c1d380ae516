import { randomBytes } from 'node:crypto';
import { uuidV7Source } from '../../core/uuid-v7.ts';
import { eventsByVersion, type LoadedEvents, readLine } from './loaded-events.ts';
import { transactionFile } from './paths.ts';
import { encodeTransaction } from './transaction.ts';

export interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** An event that a writer of EventCore committed with others has the same time as they have. */
const MAX_EVENTS = 1000;

export const nextUuid = uuidV7Source(Date.now, randomBytes);

/**
 * Transactions for events of a store that has none of its own to tell of: one after the other, in the order of the events' ids, as far
 * as versions allow, which is the order in which consumers of EventCore's databases see them. Neighbours of the same time go together.
 * The writer's identity is a new one, which nobody goes on with.
 */
export function* newTransactions(loaded: LoadedEvents): Generator<NewFile> {
  const replicaId = nextUuid();
  let parent: string | null = null;
  for (const events of groupsOf(loaded, orderOf(loaded))) {
    const transactionId = nextUuid();
    const payload = Buffer.concat(events.map((event) => readLine(loaded, event, loaded.versions[event]!)));
    const header = {
      ...{ transactionId, replicaId, parentIds: parent === null ? [] : [parent] },
      createdAt: loaded.times[events[0]!]!,
      streamBases: basesOf(loaded, events),
    };
    yield { name: transactionFile(transactionId), bytes: encodeTransaction(header, payload) };
    parent = transactionId;
  }
}

/** By id; where an event of a stream would come before one of a lower version, that one comes first. */
export function orderOf(loaded: LoadedEvents): number[] {
  const { ids, streamOf, versions } = loaded;
  const byVersion = eventsByVersion(loaded);
  const byId = Array.from(ids.keys()).sort((a, b) => (ids[a]! < ids[b]! ? -1 : 1));
  const done = new Uint32Array(byVersion.length);
  const order: number[] = [];
  for (const event of byId) {
    const stream = streamOf[event]!;
    for (; done[stream]! < versions[event]!; done[stream]! += 1)
      order.push(byVersion[stream]![done[stream]!]!);
  }
  return order;
}

function* groupsOf({ times }: LoadedEvents, order: readonly number[]): Generator<number[]> {
  let group: number[] = [];
  for (const event of order) {
    const [first] = group;
    if (first !== undefined && (times[first] !== times[event] || group.length === MAX_EVENTS)) {
      yield group;
      group = [];
    }
    group.push(event);
  }
  if (group.length > 0) yield group;
}

function basesOf(
  { streams, streamOf, versions }: LoadedEvents,
  events: readonly number[],
): Record<string, number> {
  const bases = new Map<string, number>();
  for (const event of events) {
    const stream = streams[streamOf[event]!]!;
    if (!bases.has(stream)) bases.set(stream, versions[event]! - 1);
  }
  return Object.fromEntries(bases);
}
