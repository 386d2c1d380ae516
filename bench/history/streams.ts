import { type Chance, hex8, skewed } from './chance.ts';

export type Domain = 'account' | 'customer' | 'device' | 'order' | 'stock' | 'ticket';

/** A thing that events happen to. */
export interface Stream {
  readonly domain: Domain;
  readonly name: string;
  /** The part of the name that payloads repeat. */
  readonly key: string;
  readonly sizeClass: SizeClass;
  /** The version that the next event gets. */
  nextVersion: number;
  /** How many events it will still get; infinite for a large stream, which gets what its class has. */
  left: number;
  /** A number that its events carry on: a balance, a stock, a reading. */
  level: number;
}

/** Streams of about one size. */
export interface SizeClass {
  /** Those that are alive: of large streams all of them, all the time. */
  readonly alive: Stream[];
  /** Events that its streams will still get together. */
  eventsLeft: number;
}

/** Who gets the next events: a few large streams and many short ones. */
export interface Population {
  readonly large: readonly SizeClass[];
  readonly short: SizeClass;
  /** Events of a short stream, on average. */
  readonly shortMean: number;
  opened: number;
}

/** For two million events; more or fewer events have more or fewer streams, of the same sizes. */
const REFERENCE = {
  events: 2_000_000,
  streams: 100_000,
  large: [
    { streams: 10, size: 10_000 },
    { streams: 90, size: 2000 },
    { streams: 900, size: 200 },
  ],
} as const;

/** Of the short streams, how many are alive at a time. */
const ALIVE_SHARE = 0.02;

export function openPopulation(chance: Chance, events: number): Population {
  const scale = events / REFERENCE.events;
  const large = REFERENCE.large.map(({ streams, size }) => {
    const count = Math.round(streams * scale);
    return { count, eventsLeft: count * size };
  });
  const largeStreams = large.reduce((sum, { count }) => sum + count, 0);
  const shortEvents = events - large.reduce((sum, { eventsLeft }) => sum + eventsLeft, 0);
  const shortStreams = Math.max(1, Math.round(REFERENCE.streams * scale) - largeStreams);
  const alive = Math.ceil(shortStreams * ALIVE_SHARE);
  const population: Population = {
    large: large.map(({ eventsLeft }) => ({ alive: [], eventsLeft })),
    short: { alive: [], eventsLeft: shortEvents },
    // Those that are alive at the end do not get all of their events.
    shortMean: shortEvents / Math.max(1, shortStreams - alive),
    opened: 0,
  };
  for (const [i, sizeClass] of population.large.entries()) {
    for (let j = 0; j < large[i]!.count; j += 1)
      sizeClass.alive.push(openLarge(population, chance, sizeClass));
  }
  for (let i = 0; i < alive; i += 1) population.short.alive.push(openShort(population, chance));
  return population;
}

const DOMAINS: readonly Domain[] = ['account', 'customer', 'device', 'order', 'stock', 'ticket'];
/** What the busiest things of a business are. */
const BUSY_DOMAINS: readonly Domain[] = ['account', 'device', 'stock'];

function openLarge(population: Population, chance: Chance, sizeClass: SizeClass): Stream {
  const domain = BUSY_DOMAINS[chance.random.below(BUSY_DOMAINS.length)]!;
  return openStream(population, chance, { domain, sizeClass, left: Number.POSITIVE_INFINITY });
}

/** Lives as long as chance has it: many end soon, few get old. */
export function openShort(population: Population, chance: Chance): Stream {
  const domain = DOMAINS[chance.random.below(DOMAINS.length)]!;
  const left = 1 + Math.floor(-(population.shortMean - 0.5) * Math.log(1 - chance.random.unit()));
  return openStream(population, chance, { domain, sizeClass: population.short, left });
}

function openStream(
  population: Population,
  chance: Chance,
  what: Pick<Stream, 'domain' | 'sizeClass' | 'left'>,
): Stream {
  population.opened += 1;
  const { domain } = what;
  // Names of orders and tickets tell nothing; the others are counted.
  const isCounted = domain !== 'order' && domain !== 'ticket';
  const key = isCounted ? String(100_000 + population.opened) : hex8(chance) + hex8(chance);
  return { ...what, name: `${domain}-${key}`, key, nextVersion: 1, level: skewed(chance, 1_000_000) };
}

/** The stream that the next events go to: each size class is as likely as it has events left. */
export function nextStream(population: Population, chance: Chance): Stream {
  const { large, short } = population;
  let place = chance.random.unit() * large.reduce((sum, one) => sum + one.eventsLeft, short.eventsLeft);
  for (const { alive, eventsLeft } of large) {
    if (place < eventsLeft) return alive[chance.random.below(alive.length)]!;
    place -= eventsLeft;
  }
  const slot = chance.random.below(short.alive.length);
  const stream = short.alive[slot]!;
  if (stream.left > 0) return stream;
  const next = openShort(population, chance);
  short.alive[slot] = next;
  return next;
}

/** Takes the stream's next version. */
export function takeVersion(stream: Stream): number {
  const version = stream.nextVersion;
  stream.nextVersion += 1;
  stream.left -= 1;
  stream.sizeClass.eventsLeft = Math.max(0, stream.sizeClass.eventsLeft - 1);
  return version;
}
