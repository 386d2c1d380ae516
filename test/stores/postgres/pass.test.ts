import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../../src/core/errors.ts';
import { makeCopyDecoder, requireEnd } from '../../../src/stores/postgres/copy-decoder.ts';
import { cutIntoPasses, makeCutter, passSource } from '../../../src/stores/postgres/pass.ts';
import { cutIntoRanges, narrowRanges } from '../../../src/stores/postgres/range.ts';
import { batchRows, completeEvent } from '../../../src/testing/batches.ts';
import { batchesFrom, encode, messages, withBlocks } from './copy-bytes.ts';

const MIB = 1024 * 1024;
const LARGE = { bytes: 4096 * MIB, sharedBytes: 128 * MIB, readsBlocks: true };

function rangesTo(bounds: readonly (number | null)[]) {
  return bounds.map((to, index) => ({
    index,
    spec: JSON.stringify({ from: index === 0 ? 0 : bounds[index - 1], to }),
  }));
}

/** The versions that each range gets of events in these blocks; their versions are 0, 1, … */
function cutRows(
  blocks: readonly number[],
  bounds: readonly (number | null)[],
  batchBytes: number,
  cuts: readonly number[],
) {
  const events = blocks.map((_, version) => completeEvent({ streamId: 'a', version }, version));
  const decoder = makeCopyDecoder(batchBytes, undefined, true);
  const cut = makeCutter(rangesTo(bounds));
  const found: number[][] = bounds.map(() => []);
  const bytes = messages(withBlocks(encode(events), blocks));
  let place = 0;
  for (const batch of batchesFrom(decoder, bytes, cuts)) {
    for (const part of cut(batch)) {
      assert.ok(part.place >= place && part.batch.count > 0);
      place = part.place;
      for (const row of batchRows(part.batch)) {
        assert.deepEqual(row, events[row.version]);
        found[place]!.push(row.version);
      }
    }
  }
  requireEnd(decoder);
  return found;
}

test('each row goes to the range of its block, in batches of one range, however the bytes come', () => {
  const steps = fc.array(fc.nat(3), { maxLength: 40 });
  fc.assert(
    fc.property(
      steps,
      fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.array(fc.nat()),
      (blockSteps, rangeSteps, batchBytes, cuts) => {
        const sums = (all: readonly number[]): number[] => {
          let sum = 0;
          return all.map((step) => (sum += step));
        };
        const blocks = sums(blockSteps);
        const bounds = [...sums(rangeSteps), null];
        const place = (block: number): number => bounds.findIndex((to) => to === null || block < to);
        const expected: number[][] = bounds.map(() => []);
        for (const [version, block] of blocks.entries()) expected[place(block)]!.push(version);
        assert.deepEqual(cutRows(blocks, bounds, batchBytes, cuts), expected);
      },
    ),
  );
});

test('a row at a bound is the first of the next range, and a range without rows gets no batch', () => {
  assert.deepEqual(cutRows([0, 4, 5, 5, 30, 31], [5, 10, 20, 31, null], 1 << 16, []), [
    [0, 1],
    [2, 3],
    [],
    [4],
    [5],
  ]);
  assert.deepEqual(cutRows([0xffff_fffe], [1, null], 1 << 16, []), [[], [0]]);
  assert.deepEqual(cutRows([], [1, null], 1 << 16, []), [[], []]);
});

test('rows that come in another order are refused, also where their range is still the right one', () => {
  for (const [blocks, bounds] of [
    [[3, 2], [null]],
    [
      [7, 9, 8],
      [8, null],
    ],
  ] as const) {
    assert.throws(
      () => cutRows(blocks, bounds, 1 << 16, []),
      (error) => error instanceof BackupError && error.code === 'store_unsupported' && error.hint !== null,
    );
  }
});

test('a row without its place, or with one too many, is refused', () => {
  const copy = encode([completeEvent({ streamId: 'a', version: 1 }, 1)]);
  const read = (bytes: Buffer, hasPlaces: boolean) => [
    ...batchesFrom(makeCopyDecoder(1 << 16, undefined, hasPlaces), messages(bytes), []),
  ];
  assert.equal(read(withBlocks(copy, [70_000]), true)[0]!.blocks[0], 70_000);
  assert.throws(() => read(copy, true), /a row of 7 fields/);
  assert.throws(() => read(withBlocks(copy, [1]), false), /a row of 8 fields/);
});

test('parts of a large table are put together into as many scans as there are readers, at most four', () => {
  const ranges = cutIntoRanges(LARGE.bytes, 2, 256 * MIB);
  assert.deepEqual(cutIntoPasses(LARGE, ranges, 2), [ranges.slice(0, 8), ranges.slice(8)]);
  assert.deepEqual(cutIntoPasses(LARGE, ranges.toReversed(), 1), [ranges]);
  assert.equal(cutIntoPasses(LARGE, ranges, 16)!.length, 4);
  assert.deepEqual(cutIntoPasses(LARGE, ranges, 3)!.flat(), ranges);
});

test('a table that has room in the server’s memory is read part by part', () => {
  const ranges = cutIntoRanges(64 * MIB, 2, 16 * MIB);
  const table = { bytes: 64 * MIB, sharedBytes: 128 * MIB, readsBlocks: true };
  assert.equal(cutIntoPasses(table, ranges, 2), null);
  assert.notEqual(cutIntoPasses({ ...table, sharedBytes: 127 * MIB }, ranges, 2), null);
  // PostgreSQL 13 would look through the whole table for each part.
  assert.equal(cutIntoPasses({ ...table, readsBlocks: false }, ranges, 2)!.length, 2);
  assert.equal(cutIntoPasses({ ...table, bytes: 0, readsBlocks: false }, ranges, 2), null);
});

test('what is left of a large table is read in fewer scans, and little of it part by part', () => {
  const ranges = cutIntoRanges(LARGE.bytes, 2, 256 * MIB);
  const passes = (from: number) => cutIntoPasses(LARGE, ranges.slice(from), 4)?.length ?? null;
  assert.deepEqual([0, 10, 13, 14, 15].map(passes), [4, 3, 1, 1, null]);
  assert.equal(cutIntoPasses({ ...LARGE, readsBlocks: false }, ranges.slice(15), 4)!.length, 1);
  assert.equal(cutIntoPasses(LARGE, [], 4), null);
});

test('a scan asks for its own rows alone, neighbours together', () => {
  const ranges = cutIntoRanges(1024 * MIB, 1, 256 * MIB);
  assert.equal(passSource(ranges, 'events'), 'FROM events');
  assert.equal(
    passSource(ranges.slice(1, 3), 'events'),
    "FROM events WHERE (ctid >= '(32768,0)' AND ctid < '(98304,0)')",
  );
  assert.equal(
    passSource([ranges[0]!, ranges[2]!, ranges[3]!], 'events'),
    "FROM events WHERE (ctid < '(32768,0)') OR (ctid >= '(65536,0)')",
  );
  const [head, tail] = [
    { since: '7:7:', until: '9:9:' },
    { since: '8:9:8', until: '9:9:' },
  ];
  const changes = [...narrowRanges(ranges.slice(0, 1), head!), ...narrowRanges(ranges.slice(1), tail!)];
  assert.match(
    passSource(changes, 'events'),
    /^FROM events WHERE \(ctid < '\(32768,0\)' AND xidsend\(xmin\) >= '.x00000007'.*\) OR \(ctid >= '\(32768,0\)' AND xidsend\(xmin\) >= '.x00000008'.*\)$/,
  );
  assert.throws(() => passSource([{ index: 0, spec: '{"tails":[]}' }], 'events'), BackupError);
});
