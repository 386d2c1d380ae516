import { setTimeout as sleep } from 'node:timers/promises';
/** Parsers with bugs, to see that the fuzzer finds each kind. All of them want an input that only changes bring about. */
import { BackupError } from '../../src/core/errors.ts';
import { demand, type FuzzTarget } from './engine/target.ts';

const SEED = Buffer.from('{"length":1,"items":["a"]}');

interface Document {
  readonly length: number;
  readonly items: readonly string[];
}

function parse(input: Uint8Array): Document {
  try {
    return JSON.parse(Buffer.from(input).toString()) as Document;
  } catch (cause) {
    throw new BackupError('damaged', 'no JSON', { cause });
  }
}

let hasStarved = false;

const planted = (name: string, run: FuzzTarget['run']): FuzzTarget => ({
  ...{ name, refusals: ['damaged'], run },
  seeds: () => [SEED],
});

export const TARGETS: readonly FuzzTarget[] = [
  planted('sound', (input) => void parse(input)),
  planted('type-error', (input) => parse(input).items[0]!.length),
  planted('wrong-code', (input) => {
    if (input.length > SEED.length) throw new BackupError('internal', 'too long');
  }),
  planted('by-its-word', (input) => {
    const { length } = parse(input);
    if (Number.isSafeInteger(length) && length > 0) return new Uint8Array(Math.min(length, 2 ** 31)).length;
    return 0;
  }),
  planted('heap', (input) => {
    const { length } = parse(input);
    return length > 1000 ? Array.from({ length: 8 }, () => new Array<number>(1e6).fill(1.5)) : [];
  }),
  planted('slow', (input) => {
    const before = process.cpuUsage();
    while (parse(input).length > 1000 && process.cpuUsage(before).user < 150_000);
  }),
  planted('endless', (input) => {
    while (parse(input).length > 1000);
  }),
  planted('waiting', (input) => (parse(input).length > 1000 ? new Promise(() => {}) : null)),
  planted('starved', async () => {
    if (!hasStarved) await sleep(600);
    hasStarved = true;
  }),
  planted('one-sided', (input) => {
    const value = parse(input);
    demand(JSON.stringify(value) === Buffer.from(input).toString(), 'what decodes encodes to the same bytes');
  }),
];
