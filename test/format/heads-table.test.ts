import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { copyStream, holdsVersion } from '../../src/core/stream-entry.ts';
import {
  addBatch,
  makeStreamTable,
  mergeTable,
  type StreamTable,
  streamFacts,
} from '../../src/core/stream-table.ts';
import { encodeHeads } from '../../src/format/heads.ts';
import { readHeadsInto } from '../../src/format/heads-table.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { refuses } from '../../src/testing/event-store/fixture.ts';

/** Few, so that streams get several events; usual ones, such as JSON escapes, and such as are no UTF-8. */
const NAMES = [
  'a',
  'order-1',
  '',
  'ünï/😀',
  'quote"d',
  'back\\slash',
  'line\nfeed',
  'base64:aGk=',
  '\u2028',
  '\u007f',
];
const BYTES = [Uint8Array.of(0xff), Uint8Array.of(0x61, 0x80, 0x22), Uint8Array.of(0xed, 0xa0, 0x80)];
const name = fc.oneof(fc.constantFrom<string | Uint8Array>(...NAMES, ...BYTES), fc.string({ maxLength: 3 }));
const version = fc.oneof(
  fc.integer({ min: -3, max: 12 }),
  fc.constantFrom(9_007_199_254_740_991, -9_007_199_254_740_991, 999_999_999_999_999, 1_000_000_000_000_000),
);
const id = fc.oneof(
  fc.uuid(),
  fc.constantFrom('not a uuid', 'AAAAAAAA-0000-4000-8000-00000000000F', 'q"\\\n', '', 'ünï'),
);
const event = fc.record({ streamId: name, version, id }) satisfies fc.Arbitrary<TestEvent>;
const events = fc.array(event, { maxLength: 60 });

function tableOf(rows: readonly TestEvent[]): StreamTable {
  const table = makeStreamTable();
  if (rows.length > 0) addBatch(table, makeBatch(rows, { idKind: 'text' }));
  return table;
}

function textOf(table: StreamTable): string {
  return [...encodeHeads(table)].map(({ plain }) => Buffer.from(plain).toString()).join('');
}

function readBack(...texts: string[]): StreamTable {
  const table = makeStreamTable();
  for (const text of texts) readHeadsInto(table, Buffer.from(text));
  return table;
}

describe('heads that are read back into a table', () => {
  it('give the same heads again: gaps, doubles, odd names and ids, bytes that are no UTF-8', () => {
    fc.assert(
      fc.property(events, (rows) => {
        const text = textOf(tableOf(rows));
        assert.equal(textOf(readBack(text)), text);
      }),
      { numRuns: 500 },
    );
  });

  it('are in the place of what the table held of these streams, and leave the others', () => {
    fc.assert(
      fc.property(events, events, (older, newer) => {
        const [first, all] = [tableOf(older), tableOf([...older, ...newer])];
        const touched = new Set(textOf(tableOf(newer)).split('\n').map(streamOf));
        const lines = textOf(all).split('\n');
        const changed = lines.filter((line) => line !== '' && touched.has(streamOf(line)));
        const chained = readBack(textOf(first), changed.map((line) => `${line}\n`).join(''));
        assert.equal(textOf(chained), textOf(all));
      }),
      { numRuns: 300 },
    );
  });

  it('take further events as the table that they come from does', () => {
    fc.assert(
      fc.property(events, events, (older, newer) => {
        const chained = readBack(textOf(tableOf(older)));
        mergeTable(chained, tableOf(newer));
        assert.equal(textOf(chained), textOf(tableOf([...older, ...newer])));
      }),
      { numRuns: 300 },
    );
  });

  it('are many streams as well, more than there was room for', () => {
    const table = makeStreamTable(1000);
    for (let i = 0; i < 5000; i += 1) {
      const id = `00000000-0000-7000-8000-${i.toString(16).padStart(12, '0')}`;
      const line = {
        streamId: `order-${i}`,
        events: i + 1,
        firstVersion: 1,
        lastVersion: i + 1,
        lastEventId: id,
      };
      readHeadsInto(table, Buffer.from(`${JSON.stringify(line)}\n`));
    }
    assert.equal(table.count, 5000);
    for (const index of [0, 1, 999, 1000, 4999]) {
      const { events, lastVersion } = streamFacts(table, index);
      assert.deepEqual([events, lastVersion], [index + 1, index + 1]);
    }
  });

  it('are refused when a line is none', async () => {
    for (const text of ['{}\n', 'x\n', '{"streamId":"a"', '{"streamId":"a","events":1}\n', '\n']) {
      await refuses(
        Promise.resolve().then(() => readBack(text)),
        'damaged',
      );
    }
  });
});

describe('a line of heads that is hostile', () => {
  const line = (more: object): string => {
    const facts = { events: 2, firstVersion: 1, lastVersion: 9, lastEventId: 'x', ...more };
    return `${JSON.stringify({ streamId: 'a', ...facts })}\n`;
  };

  // Found by the fuzzer.
  it('is refused when its gaps are none, or do not lie inside of its versions', async () => {
    const wrong: unknown[] = [
      null,
      5,
      [null],
      [1.5],
      [[2]],
      [[3, 2]],
      [[1, 2]],
      [[2, 9]],
      [
        [4, 5],
        [2, 2],
      ],
    ];
    for (const gaps of wrong)
      await refuses(
        Promise.resolve().then(() => readBack(line({ gaps }))),
        'damaged',
      );
    await refuses(
      Promise.resolve().then(() => readBack(line({ duplicates: 'many' }))),
      'damaged',
    );
    readBack(
      line({
        gaps: [
          [2, 3],
          [5, 8],
        ],
      }),
    );
  });

  it('is refused by the quick reader just as by the other', async () => {
    const usual = `{"streamId":"a","events":1,"firstVersion":1,"lastVersion":1,"lastEventId":"${'0'.repeat(36)}"}\n`;
    readBack(usual);
    for (const [from, to] of [
      ['"events":1', '"events":01'],
      ['"a"', '"\u0001"'],
      ['"000', '"\u0001\u0001\u0001'],
      ['"000', '"é0'],
    ] as const) {
      const changed = usual.replace(from, to);
      const isLine = (() => {
        try {
          JSON.parse(changed);
          return true;
        } catch {
          return false;
        }
      })();
      if (isLine) readBack(changed);
      else
        await refuses(
          Promise.resolve().then(() => readBack(changed)),
          'damaged',
        );
    }
  });
});

const streamOf = (line: string): string => (line === '' ? '' : JSON.parse(line).streamId);

describe('single streams of a table', () => {
  it('are carried over as they are', () => {
    fc.assert(
      fc.property(events, (rows) => {
        const from = tableOf(rows);
        const to = makeStreamTable();
        for (let at = from.count - 1; at >= 0; at -= 1) copyStream(to, from, at);
        assert.equal(textOf(to), textOf(from));
      }),
    );
  });

  it('leave their source as it was when the copy goes on', () => {
    const from = tableOf([1, 2, 5, 9].map((at) => ({ streamId: 'a', version: at })));
    const before = textOf(from);
    const to = makeStreamTable();
    copyStream(to, from, 0);
    mergeTable(to, tableOf([3, 4, 9].map((at) => ({ streamId: 'a', version: at }))));
    assert.equal(textOf(from), before);
    assert.match(textOf(to), /"events":7,.*"gaps":\[\[6,8\]\],"duplicates":1/);
  });

  it('hold exactly the versions of their events', () => {
    const versions = fc.array(fc.integer({ min: -5, max: 30 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(versions, (held) => {
        const table = tableOf(held.map((at) => ({ streamId: 'a', version: at })));
        for (let at = -7; at <= 32; at += 1)
          assert.equal(holdsVersion(table, 0, at), held.includes(at), `${at}`);
      }),
    );
  });
});
