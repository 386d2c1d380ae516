import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../../src/core/errors.ts';
import {
  conditionsOf,
  cutChanges,
  cutIntoRanges,
  cutTails,
  narrowRanges,
  rangeSettings,
  rangeSource,
  sharedChanges,
} from '../../../src/stores/postgres/range.ts';

const MIB = 1024 * 1024;

test('ranges meet without gap or overlap, from block 0 to an open end', () => {
  fc.assert(
    fc.property(fc.nat(64 * 1024 * MIB), fc.integer({ min: 1, max: 64 }), (tableBytes, parallel) => {
      const ranges = cutIntoRanges(tableBytes, parallel);
      assert.ok(ranges.length >= 1 && ranges.length <= parallel);
      let next = 0;
      for (const [i, range] of ranges.entries()) {
        assert.equal(range.index, i);
        const isLast = i === ranges.length - 1;
        const { from, to } = JSON.parse(range.spec);
        assert.equal(from, next);
        assert.ok(isLast ? to === null : to > from);
        next = to;
      }
    }),
  );
});

test('a small table is one range, a large one is cut evenly', () => {
  assert.equal(cutIntoRanges(0, 8).length, 1);
  assert.equal(cutIntoRanges(3 * MIB, 8).length, 1);
  assert.deepEqual(
    cutIntoRanges(1024 * MIB, 4).map((range) => rangeSource(range, 'events')),
    [
      "FROM events WHERE ctid < '(32768,0)'",
      "FROM events WHERE ctid >= '(32768,0)' AND ctid < '(65536,0)'",
      "FROM events WHERE ctid >= '(65536,0)' AND ctid < '(98304,0)'",
      "FROM events WHERE ctid >= '(98304,0)'",
    ],
  );
});

const CHANGES = { since: '866:868:866', until: '900:900:' };

test('changes are looked for in one pass, in several only where there is much to look through', () => {
  const [range, ...more] = cutChanges(450 * MIB, 4, CHANGES);
  assert.equal(more.length, 0);
  assert.equal(
    rangeSource(range!, 'events'),
    String.raw`FROM events WHERE xidsend(xmin) >= '\x00000362'::bytea AND xidsend(xmin) < '\x00000384'::bytea`,
  );
  assert.equal(cutChanges(4096 * MIB, 2, CHANGES).length, 2);
  assert.equal(cutChanges(1024 * MIB, 64, CHANGES).length, 4);
});

test('the server looks for changes in one process of its own, unless it is to share a table out', () => {
  const [range] = cutChanges(450 * MIB, 4, CHANGES);
  assert.deepEqual(rangeSettings(range!), ['max_parallel_workers_per_gather = 0']);
  const [shared, ...more] = sharedChanges(4, CHANGES);
  assert.equal(more.length, 0);
  assert.match(rangeSource(shared!, 'events'), /^FROM events WHERE xidsend/);
  assert.deepEqual(rangeSettings(shared!)[0], 'max_parallel_workers_per_gather = 3');
  assert.deepEqual(rangeSettings(sharedChanges(1, CHANGES)[0]!), ['max_parallel_workers_per_gather = 0']);
  assert.deepEqual(rangeSettings(cutIntoRanges(450 * MIB, 1)[0]!), []);
});

const TURN = 2n ** 32n;

/** Whether a row that this transaction wrote is looked at, by the rules of bytea: byte by byte. */
function isLookedAt(condition: string, xid: bigint): boolean {
  if (condition === 'false') return false;
  const bytes = (xid % TURN).toString(16).padStart(8, '0');
  const [, from, word, to] =
    /^\(?xidsend\(xmin\) >= '\\x([0-9a-f]{8})'::bytea (AND|OR) xidsend\(xmin\) < '\\x([0-9a-f]{8})'::bytea\)?$/.exec(
      condition,
    )!;
  return word === 'AND' ? bytes >= from! && bytes < to! : bytes >= from! || bytes < to!;
}

test('of all numbers of transactions exactly those between two views are looked at, wherever they turn over', () => {
  const start = fc.oneof(fc.bigInt(3n, 2n ** 50n), fc.bigInt(TURN - 1000n, TURN + 1000n));
  const distance = fc.oneof(fc.bigInt(0n, 2n ** 31n), fc.bigInt(0n, 2000n));
  fc.assert(
    fc.property(start, distance, fc.bigInt(0n, TURN - 1n), (from, length, offset) => {
      const changes = { since: `${from}:${from + length}:`, until: `${from + length}:${from + length}:` };
      const [condition] = conditionsOf({ from: 0, to: null, changes });
      // A whole turn of numbers: from the oldest that is still told from a new one to the newest.
      for (const one of [offset, 0n, length - 1n, length, TURN - 1n]) {
        if (one < 0n) continue;
        assert.equal(isLookedAt(condition!, from + one), one < length, `${from} + ${one} of ${length}`);
      }
    }),
  );
});

test('tails are read by name and version, a thousand streams a statement', () => {
  const tails = Array.from({ length: 2500 }, (_, i) => ({ streamId: `it's-${i}`, fromVersion: i }));
  const ranges = cutTails(tails);
  assert.equal(ranges.length, 3);
  assert.match(rangeSource(ranges[2]!, 'events'), /^FROM \(VALUES \('it''s-2000', 2000::bigint\), /);
  assert.deepEqual(cutTails([]), []);
});

test('a range of another kind of store, or one that carries SQL, is refused', () => {
  for (const spec of [
    '',
    'null',
    '{}',
    '{"from":1}',
    '{"from":-1,"to":null}',
    `{"from":"0,0)' OR 1=1","to":null}`,
    `{"from":0,"to":null,"changes":{"since":"1:2:' OR 1=1","until":"1:2:"}}`,
    `{"from":0,"to":null,"changes":{"since":"1:2:","until":"1:2:' OR 1=1"}}`,
    `{"from":0,"to":null,"changes":{"since":"1:2:"}}`,
    `{"from":0,"to":null,"workers":"1; DROP"}`,
    `{"tails":[["a","1 OR 1=1"]]}`,
  ]) {
    assert.throws(
      () => rangeSource({ index: 0, spec }, 'events'),
      (error) => error instanceof BackupError && error.code === 'usage',
    );
  }
});

test('ranges of a bounded size are a multiple of what is read at once, and meet without gap or overlap', () => {
  const sizes = [
    [512, 2],
    [513, 4],
    [1025, 6],
    [100, 2],
    [1, 1],
  ] as const;
  for (const [mib, count] of sizes)
    assert.equal(cutIntoRanges(mib * MIB, 2, 256 * MIB).length, count, `${mib}`);
  assert.ok(cutIntoRanges(1e15, 4, 256 * MIB).length <= 10_000);
  fc.assert(
    fc.property(fc.nat(8192 * MIB), fc.integer({ min: 1, max: 8 }), (tableBytes, parallel) => {
      const ranges = cutIntoRanges(tableBytes, parallel, 16 * MIB).map(({ spec }) => JSON.parse(spec));
      for (const [i, { from, to }] of ranges.entries()) {
        assert.equal(from, i === 0 ? 0 : ranges[i - 1].to);
        if (to !== null) assert.ok((to - from) * 8192 <= 16 * MIB + 8192);
      }
      assert.equal(ranges.at(-1).to, null);
    }),
  );
});

test('what came into ranges since is looked for in neighbours at once, and not in between', () => {
  const ranges = cutIntoRanges(4096 * MIB, 2, 256 * MIB);
  assert.equal(ranges.length, 16);
  const spans = (kept: readonly number[]): [number, number | null][] =>
    narrowRanges(
      kept.map((i) => ranges[i]!),
      CHANGES,
    ).map(({ spec }) => {
      const range = JSON.parse(spec);
      assert.deepEqual(range.changes, CHANGES);
      return [range.from, range.to];
    });
  assert.deepEqual(spans([1, 0, 3]), [
    [0, 65_536],
    [98_304, 131_072],
  ]);
  assert.deepEqual(spans([15]), [[491_520, null]]);
  assert.equal(spans([...ranges.keys()]).length, 4);
  assert.deepEqual(spans([]), []);
  const refusal = (error: unknown): boolean => error instanceof BackupError && error.code === 'usage';
  assert.throws(() => narrowRanges([{ index: 0, spec: '{"tails":[]}' }], CHANGES), refusal);
  assert.throws(() => narrowRanges([{ index: 0, spec: '..' }], CHANGES), refusal);
});
