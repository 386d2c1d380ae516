import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import { makeStreamTable, type StreamTable } from '../../src/core/stream-table.ts';
import { decodeHeads, encodeHeads, type HeadLine } from '../../src/format/heads.ts';
import { readHeadsInto } from '../../src/format/heads-table.ts';

const uuid = fc.uuid();
const usualName = fc.stringMatching(/^(order|account)-[0-9a-f]{1,8}$/);
const oddName = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });

/** Runs of versions with gaps between them; of one run there is no gap. */
const facts = fc
  .record({
    firstVersion: fc.integer({ min: 0, max: 3 }),
    runs: fc.array(
      fc.record({ length: fc.integer({ min: 1, max: 2_000_000 }), gap: fc.integer({ min: 1, max: 9 }) }),
      { minLength: 1, maxLength: 3 },
    ),
    duplicates: fc.constantFrom(0, 0, 0, 2),
  })
  .map(({ firstVersion, runs, duplicates }) => {
    let next = firstVersion;
    const gaps: [number, number][] = [];
    for (const [i, { length, gap }] of runs.entries()) {
      if (i > 0) {
        gaps.push([next, next + gap - 1]);
        next += gap;
      }
      next += length;
    }
    const events = runs.reduce<number>((sum, { length }) => sum + length, duplicates);
    const more = { ...(gaps.length > 0 ? { gaps } : {}), ...(duplicates > 0 ? { duplicates } : {}) };
    return { events, firstVersion, lastVersion: next - 1, more };
  });

const head = fc
  .tuple(fc.oneof({ weight: 3, arbitrary: usualName }, oddName), facts, fc.oneof(uuid, oddName))
  .map(
    ([streamId, { more, ...counts }, lastEventId]): HeadLine => ({
      ...{ streamId, ...counts, lastEventId },
      ...more,
    }),
  );
const heads = fc.uniqueArray(head, { selector: ({ streamId }) => streamId.toWellFormed(), maxLength: 30 });

const linesOf = (lines: readonly HeadLine[]) =>
  Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

function readBack(table: StreamTable): HeadLine[] {
  const lines: HeadLine[] = [];
  for (const { plain } of encodeHeads(table)) lines.push(...decodeHeads(plain));
  return lines;
}

const sorted = (lines: readonly HeadLine[]) =>
  lines.toSorted((a, b) => Buffer.compare(Buffer.from(a.streamId), Buffer.from(b.streamId)));

describe('heads that are read into a table', () => {
  it('are the heads that were written, usual or odd, whatever room was made for them', () => {
    fc.assert(
      fc.property(heads, fc.constantFrom(0, 1, 300), (lines, room) => {
        const table = makeStreamTable(room);
        readHeadsInto(table, linesOf(lines));
        assert.deepEqual(readBack(table), sorted(lines));
      }),
    );
  });

  it('take the place of what an older backup of the chain had of the same streams, wholly', () => {
    fc.assert(
      fc.property(heads, heads, (older, newer) => {
        const table = makeStreamTable();
        readHeadsInto(table, linesOf(older));
        // The same streams with other facts, and some more.
        const again = older.slice(0, newer.length).map(({ streamId }, i) => ({ ...newer[i]!, streamId }));
        readHeadsInto(table, linesOf(again));
        assert.deepEqual(readBack(table), sorted([...again, ...older.slice(again.length)]));
      }),
    );
  });

  it('are many streams as well, more than there was room for', () => {
    const lines = Array.from(
      { length: 5000 },
      (_, i): HeadLine => ({
        ...{ streamId: `order-${i}`, events: i + 1, firstVersion: 1, lastVersion: i + 1 },
        lastEventId: `00000000-0000-7000-8000-${i.toString(16).padStart(12, '0')}`,
      }),
    );
    const table = makeStreamTable(1000);
    readHeadsInto(table, linesOf(lines));
    assert.deepEqual(readBack(table), sorted(lines));
  });

  it('are refused when a line is none of a stream, is cut off or is no JSON', () => {
    const whole = linesOf([
      { streamId: 'a', events: 1, firstVersion: 1, lastVersion: 1, lastEventId: 'b' },
    ]).toString();
    for (const text of [whole.slice(0, -1), `${whole}{}\n`, whole.replace('"events":1', '"events":'), '\n']) {
      assert.throws(
        () => readHeadsInto(makeStreamTable(), Buffer.from(text)),
        (error) => isBackupError(error, 'damaged'),
        text,
      );
    }
  });
});
