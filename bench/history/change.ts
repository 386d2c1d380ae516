import type { NewEvent, StreamAppend } from '../../src/core/event.ts';
import { nextType } from './event-types.ts';
import { type Domain, openShort, type Stream } from './streams.ts';
import { type Business, makeMetadata, openBusiness } from './transactions.ts';

export interface ChangeOptions {
  /** The same seed gives the same texts for the same streams. */
  readonly seed: number;
  readonly events: number;
  /** Streams that there are and that are written to, one event for each time that they are named; one may come several times. */
  readonly streams: readonly { readonly streamId: string; readonly version: bigint }[];
}

/** No more events are appended together. */
const MAX_TOGETHER = 4;
/** One event in this many opens a new stream. */
const EVENTS_PER_OPENING = 10;
/** Streams opened before those of a change have smaller numbers in their names, and those of another seed have others. */
const OPENED_BETWEEN_SEEDS = 10_000_000;

/**
 * What happens to a business after the history that it has: requests of many people, hardly two of them to the same thing,
 * and now and then to a new one. More streams than in as many events of the history: each of them costs an incremental backup.
 */
export function makeChange({ seed, events, streams }: ChangeOptions): StreamAppend[][] {
  const business = openBusiness(seed, 1);
  business.population.opened = seed * OPENED_BETWEEN_SEEDS;
  const { random } = business.chance;
  const transactions: StreamAppend[][] = [];
  for (let made = 0; made < events; ) {
    const together = Math.min(1 + random.below(MAX_TOGETHER), events - made);
    transactions.push(
      Array.from({ length: together }, (_, i) => appendOne(business, streams[made + i], made + i)),
    );
    made += together;
  }
  return transactions;
}

function appendOne(
  business: Business,
  known: ChangeOptions['streams'][number] | undefined,
  place: number,
): StreamAppend {
  const { population, chance } = business;
  const opens = known === undefined || place % EVENTS_PER_OPENING === 0;
  const stream = opens ? openShort(population, chance) : continueStream(business, known);
  const type = nextType(chance, stream);
  const event: NewEvent = {
    type: type.name,
    data: type.data(chance, stream),
    metadata: makeMetadata(business),
  };
  return { streamId: stream.name, events: [event] };
}

function continueStream(
  { population, chance }: Business,
  { streamId, version }: ChangeOptions['streams'][number],
): Stream {
  const [domain, key] = streamId.split('-') as [Domain, string];
  return {
    ...{ domain, key, name: streamId, sizeClass: population.short, left: Number.POSITIVE_INFINITY },
    nextVersion: Number(version) + 1,
    level: chance.random.below(1_000_000),
  };
}
