import type { SweepPlace } from '../core/finding.ts';

/**
 * Which parts of a store to look at next, so that each look is a fair sample and all looks together leave nothing out. All blocks lie
 * in an order that a seed decides, as if drawn by lot, and so do all buckets of streams; each run takes the next p % of both. What an earlier run
 * found bad is looked at again in each run, until it is clean.
 *
 * Plain data without names: it may be kept where names must not show.
 */
export interface SweepState {
  /** 32 bits. Decides the orders, and which streams share a bucket: as long as it stays, buckets do. */
  readonly seed: number;
  readonly blocks: SweepRound;
  readonly buckets: SweepRound;
  /** Where runs found something, and whereon no later run found nothing. */
  readonly suspects: readonly SweepPlace[];
  /** Blocks in whose reading the store was lost. */
  readonly strikes: readonly Strike[];
}

/** A server may die of bytes that it did not write so: a block is not read a third time before the next round. */
export interface Strike {
  readonly block: number;
  readonly times: number;
}

/** One way through all parts. Each has a place between 0 and 2^32 in the order of the round, which does not depend on how many there are. */
export interface SweepRound {
  /** So many neighbours are looked at together, and are one in the order. */
  readonly group: number;
  /** From 0; each has another order. */
  readonly round: number;
  /** RFC 3339; null: not begun. */
  readonly startedAt: string | null;
  /** Places below this one were looked at in this round. */
  readonly from: number;
  /** When all parts had been looked at last; null: not yet. */
  readonly finishedAt: string | null;
}

export interface SweepStep {
  /** Numbers of blocks to look at, ascending. */
  readonly blocks: readonly number[];
  readonly buckets: readonly number[];
  /** Of how many buckets. */
  readonly of: number;
  /** Blocks that must not be read in this round any more. */
  readonly avoided: readonly number[];
  /** How many of both are looked at because of what was found there, and are not due. */
  readonly again: number;
  /** The state behind this step, but for its suspects. */
  readonly next: SweepState;
}

/** Streams of a store are cut into so many buckets: a thousandth is the least that is looked at. */
const BUCKETS = 1000;

/**
 * Blocks that lie together were mostly written together, and so were backed up in the same chunks: what has to be read of a backup for a group of
 * them is about as much as for one. But a run takes at least so many groups, from all over the store.
 */
const LEAST_GROUPS = 8;
const LARGEST_GROUP = 16;

const MOST_TIMES = 2;
const MOST_STRIKES = 100;

/** More are not looked at again before their turn comes. */
const MOST_SUSPECTS = 1000;

const NOT_BEGUN: SweepRound = { group: 1, round: 0, startedAt: null, from: 0, finishedAt: null };

export function beginSweep(seed: number): SweepState {
  return { seed: seed >>> 0, blocks: NOT_BEGUN, buckets: NOT_BEGUN, suspects: [], strikes: [] };
}

/**
 * What the next run looks at in a store of `blocks` blocks: `percentage` of them, rounded up to whole groups, and as much of the buckets. The last
 * run of a round takes what is left. So everything was looked at once after ceil(100 / percentage) runs; blocks that come
 * meanwhile take their places in the round, or are looked at in the next one. `now` is RFC 3339.
 */
export function planSweep(
  state: SweepState,
  { blocks, percentage, now }: { readonly blocks: number; readonly percentage: number; readonly now: string },
): SweepStep {
  const share = percentage / 100;
  const take = (round: SweepRound, salt: number, count: number): Taken =>
    takeNext(round, { count, share, now, order: orderOf(state.seed, salt, round.round) });
  const { blocks: round } = state;
  const group = round.startedAt === null ? groupSize(blocks * share) : round.group;
  const ofBlocks = take({ ...round, group }, 1, blocks);
  const ofBuckets = take(state.buckets, 2, BUCKETS);
  const suspects = (kind: SweepPlace['kind'], count: number): number[] =>
    state.suspects.flatMap((place) => (place.kind === kind && place.number < count ? [place.number] : []));
  const avoided = state.strikes.flatMap(({ block, times }) =>
    times >= MOST_TIMES && block < blocks ? [block] : [],
  );
  const due = without(ofBlocks.numbers, avoided);
  const all = {
    blocks: without(union(due, suspects('block', blocks)), avoided),
    buckets: union(ofBuckets.numbers, suspects('bucket', BUCKETS)),
  };
  const isNewRound = ofBlocks.next.round > state.blocks.round;
  const strikes = isNewRound ? state.strikes.map(({ block }) => ({ block, times: 1 })) : state.strikes;
  return {
    ...{ ...all, avoided, of: BUCKETS },
    again: all.blocks.length + all.buckets.length - due.length - ofBuckets.numbers.length,
    next: { ...state, blocks: ofBlocks.next, buckets: ofBuckets.next, strikes },
  };
}

/** How much of a round was looked at, from 0 to 1: places are drawn by lot, so the share of the order that lies behind is that of the parts. */
export function coveredShare({ from }: Pick<SweepRound, 'from'>): number {
  return from / TURN;
}

/** The state after a run that found something at these places: all others that it looked at are clean. */
export function endStep({ next, blocks }: SweepStep, found: Iterable<SweepPlace>): SweepState {
  const read = new Set(blocks);
  const strikes = next.strikes.filter(({ block }) => !read.has(block));
  return { ...next, suspects: gather(found), strikes };
}

/** The state after a run that ended when the store was lost in reading a block: the next one begins where it began. */
export function breakOffStep(state: SweepState, lost: number, found: Iterable<SweepPlace>): SweepState {
  const others = state.strikes.filter(({ block }) => block !== lost);
  const times = 1 + (state.strikes.find(({ block }) => block === lost)?.times ?? 0);
  const strikes = [{ block: lost, times }, ...others].slice(0, MOST_STRIKES);
  return { ...state, suspects: gather([...state.suspects, ...found]), strikes };
}

/** The same state, with places that are to be looked at again for another reason. */
export function addSuspects(state: SweepState, places: Iterable<SweepPlace>): SweepState {
  return { ...state, suspects: gather([...places, ...state.suspects]) };
}

function gather(places: Iterable<SweepPlace>): SweepPlace[] {
  const suspects = new Map<string, SweepPlace>();
  for (const { kind, number } of places) {
    if (suspects.size === MOST_SUSPECTS) break;
    suspects.set(`${kind} ${number}`, { kind, number });
  }
  return [...suspects.values()];
}

/** A state that was kept as JSON; null when it is none. */
export function readSweep(value: unknown): SweepState | null {
  const state = value as SweepState | null;
  if (typeof state !== 'object' || state === null) return null;
  const { seed, blocks, buckets, suspects, strikes } = state;
  if (!isCount(seed) || !isRound(blocks) || !isRound(buckets)) return null;
  const areSuspects = Array.isArray(suspects) && suspects.length <= MOST_SUSPECTS && suspects.every(isPlace);
  const areStrikes = Array.isArray(strikes) && strikes.length <= MOST_STRIKES && strikes.every(isStrike);
  return areSuspects && areStrikes ? { seed: seed >>> 0, blocks, buckets, suspects, strikes } : null;
}

function isStrike(strike: Strike | null): boolean {
  return isCount(strike?.block) && isCount(strike?.times);
}

function isRound(round: SweepRound | null | undefined): boolean {
  if (typeof round !== 'object' || round === null) return false;
  const isText = (text: unknown): boolean => text === null || typeof text === 'string';
  return isCount(round.round) && isCount(round.from) && isText(round.startedAt) && isText(round.finishedAt);
}

function isPlace(place: SweepPlace | null): boolean {
  return (place?.kind === 'block' || place?.kind === 'bucket') && isCount(place.number);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

interface Taken {
  readonly numbers: readonly number[];
  readonly next: SweepRound;
}

function groupSize(blocksOfRun: number): number {
  let size = 1;
  while (size < LARGEST_GROUP && size * 2 * LEAST_GROUPS <= blocksOfRun) size *= 2;
  return size;
}

function takeNext(
  round: SweepRound,
  options: {
    readonly count: number;
    readonly share: number;
    readonly now: string;
    readonly order: (number: number) => number;
  },
): Taken {
  const { count, share, now, order } = options;
  const { group, from } = round;
  const groups = Math.ceil(count / group);
  const left = placesFrom(from, groups, order);
  const wanted = Math.max(1, Math.ceil(groups * share - ROUNDING));
  const isLast = left.length <= wanted;
  const end = isLast ? TURN : left[wanted - 1]! + 1;
  const numbers: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const place = order(Math.floor(number / group));
    if (place >= from && place < end) numbers.push(number);
  }
  const next = isLast
    ? { group, round: round.round + 1, startedAt: null, from: 0, finishedAt: now }
    : { ...round, startedAt: round.startedAt ?? now, from: end };
  return { numbers, next };
}

/** 0.1 × 3 × 10 is more than 3 in binary. */
const ROUNDING = 1e-9;

/** The places that are still to come, ascending. */
function placesFrom(from: number, count: number, order: (number: number) => number): Uint32Array {
  const places = new Uint32Array(count);
  let used = 0;
  for (let number = 0; number < count; number += 1) {
    const place = order(number);
    if (place < from) continue;
    places[used] = place;
    used += 1;
  }
  return places.subarray(0, used).sort();
}

const TURN = 2 ** 32;

/** Gives each number its place, no two the same one: each step of the mixing can be undone. */
function orderOf(seed: number, salt: number, round: number): (number: number) => number {
  const own = scatter(seed ^ scatter(round * 4 + salt));
  const second = scatter(own + 0x9e37_79b9);
  return (number) => scatter(scatter(number ^ own) + second);
}

/** A permutation of the 32-bit numbers that leaves no trace of their order. */
function scatter(number: number): number {
  let x = number | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb_352d);
  x = Math.imul(x ^ (x >>> 15), 0x846c_a68b);
  return (x ^ (x >>> 16)) >>> 0;
}

function union(numbers: readonly number[], more: readonly number[]): number[] {
  return [...new Set([...numbers, ...more])].sort((a, b) => a - b);
}

function without(numbers: readonly number[], others: readonly number[]): readonly number[] {
  if (others.length === 0) return numbers;
  const left = new Set(others);
  return numbers.filter((number) => !left.has(number));
}
