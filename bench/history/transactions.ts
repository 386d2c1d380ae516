import { type Chance, makeChance, skewed, uuid } from './chance.ts';
import { nextStream, openPopulation, type Population, type Stream } from './streams.ts';

/** A business at work, from which transactions come one after the other. */
export interface Business {
  readonly chance: Chance;
  readonly population: Population;
  /** Streams that something is happening to right now, each for a burst of a few transactions. */
  readonly bursts: Burst[];
  /** Those who do things, and whose ids metadata repeats. */
  readonly users: readonly string[];
}

interface Burst {
  stream: Stream;
  transactionsLeft: number;
}

const BURSTS_AT_ONCE = 12;
const MAX_BURST = 12;
const USERS = 4000;

export function openBusiness(seed: number, events: number): Business {
  const chance = makeChance(seed);
  const population = openPopulation(chance, events);
  const bursts = Array.from({ length: BURSTS_AT_ONCE }, () => newBurst(population, chance));
  const users = Array.from({ length: USERS }, () => uuid(chance));
  return { chance, population, bursts, users };
}

function newBurst(population: Population, chance: Chance): Burst {
  return { stream: nextStream(population, chance), transactionsLeft: 1 + skewed(chance, MAX_BURST) };
}

/** No transaction writes more events. */
export const MAX_TRANSACTION = 8;

/** The streams that the next transaction writes one event each to, in order; one of them may come several times. */
export function nextTransaction(business: Business): readonly Stream[] {
  const { chance } = business;
  advanceClock(chance);
  const burst = business.bursts[chance.random.below(BURSTS_AT_ONCE)]!;
  const stream = continueBurst(business, burst);
  const streams: Stream[] = [];
  const count = Math.min(1 + skewed(chance, MAX_TRANSACTION - 1), stream.left);
  for (let i = 0; i < count; i += 1) streams.push(stream);
  // One in five writes to a second stream too: whoever sees the one sees the other.
  if (chance.random.below(5) === 0) {
    const other = business.bursts[chance.random.below(BURSTS_AT_ONCE)]!;
    streams.push(continueBurst(business, other));
  }
  return streams;
}

function continueBurst({ population, chance }: Business, burst: Burst): Stream {
  if (burst.transactionsLeft === 0 || burst.stream.left <= 0)
    Object.assign(burst, newBurst(population, chance));
  burst.transactionsLeft -= 1;
  return burst.stream;
}

const SECOND_US = 1_000_000;

/** Mostly a few milliseconds, now and then half a minute: no two transactions at the same microsecond. */
function advanceClock(chance: Chance): void {
  const longest = chance.random.below(4) === 0 ? 40 * SECOND_US : SECOND_US / 4;
  chance.nowUs += 1 + skewed(chance, longest);
}

/** Ids of the request, of the command that caused the event, and of the user: some users do more than others. */
export function makeMetadata({ chance, users }: Business): string {
  const user = users[Math.floor(chance.random.unit() ** 1.5 * users.length)]!;
  return `{"correlationId":"${uuid(chance)}","causationId":"${uuid(chance)}","userId":"${user}"}`;
}
