import { makeRandom, type Random } from '../../src/testing/random.ts';
import { FIRST_NAMES, LAST_NAMES } from './words.ts';

/** Random texts and the time that they speak of. */
export interface Chance {
  readonly random: Random;
  /** Microseconds since 1970 of the transaction under way. */
  nowUs: number;
  /** The minute that `minuteText` is of: to turn a time into text for each event would take longer than all the rest. */
  minute: number;
  minuteText: string;
}

/** 2025-01-01T00:00:00Z */
const START_US = 1_735_689_600_000_000;

export function makeChance(seed: number): Chance {
  return { random: makeRandom(seed), nowUs: START_US, minute: -1, minuteText: '' };
}

const HEX = Array.from({ length: 0x1_0000 }, (_, value) => value.toString(16).padStart(4, '0'));

/** Eight hex digits. */
export function hex8({ random }: Chance): string {
  const bits = random.bits();
  return HEX[bits >>> 16]! + HEX[bits & 0xffff]!;
}

/** A random UUID (version 4). */
export function uuid({ random }: Chance): string {
  const a = random.bits();
  const b = random.bits();
  const c = random.bits();
  const d = random.bits();
  const head = `${HEX[a >>> 16]!}${HEX[a & 0xffff]!}-${HEX[b >>> 16]!}-${HEX[0x4000 | (b & 0xfff)]!}`;
  const tail = `${HEX[0x8000 | ((c >>> 16) & 0x3fff)]!}-${HEX[c & 0xffff]!}${HEX[d >>> 16]!}${HEX[d & 0xffff]!}`;
  return `${head}-${tail}`;
}

export function pick({ random }: Chance, words: readonly string[]): string {
  return words[random.below(words.length)]!;
}

/** True once in `times`. */
export function oneIn({ random }: Chance, times: number): boolean {
  return random.below(times) === 0;
}

/** Small numbers often, large ones seldom, up to `limit` − 1: as amounts and counts are. */
export function skewed({ random }: Chance, limit: number): number {
  const unit = random.unit();
  return Math.floor(unit * unit * unit * limit);
}

export function person(chance: Chance): string {
  return `${pick(chance, FIRST_NAMES)} ${pick(chance, LAST_NAMES)}`;
}

/** An amount of money with two decimals. */
export function money(chance: Chance, limit: number): string {
  const cents = 99 + skewed(chance, limit * 100);
  const rest = cents % 100;
  return `${(cents - rest) / 100}.${rest < 10 ? '0' : ''}${rest}`;
}

/** Milliseconds since 1970, `agoMs` before the transaction. */
export function unixMs(chance: Chance, agoMs = 0): number {
  return Math.floor(chance.nowUs / 1000) - agoMs;
}

const TWO = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));

/** RFC 3339 in UTC with milliseconds. */
export function isoTime(chance: Chance): string {
  const ms = unixMs(chance);
  const minute = Math.floor(ms / 60_000);
  if (minute !== chance.minute) {
    chance.minute = minute;
    chance.minuteText = new Date(ms).toISOString().slice(0, 17);
  }
  const rest = ms - minute * 60_000;
  const second = Math.floor(rest / 1000);
  return `${chance.minuteText}${TWO[second]!}.${String(rest - second * 1000).padStart(3, '0')}Z`;
}
