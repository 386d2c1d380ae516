import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type EventBatch, makeSpans } from '../../src/core/event-batch.ts';
import { sortedStreams } from '../../src/core/stream-order.ts';
import {
  addBatch,
  closeTable,
  headId,
  makeStreamTable,
  mergeTable,
  type StreamTable,
  streamFacts,
  streamName,
} from '../../src/core/stream-table.ts';

interface Row {
  readonly stream: string;
  readonly version: number;
  readonly id: string;
}

function batchOf(rows: readonly Row[]): EventBatch {
  const parts = rows.flatMap((row) => [Buffer.from(row.id), Buffer.from(row.stream)]);
  const id = makeSpans(rows.length);
  const stream = makeSpans(rows.length);
  const empty = makeSpans(rows.length);
  let at = 0;
  rows.forEach((_, row) => {
    for (const [spans, part] of [
      [id, parts[row * 2]!],
      [stream, parts[row * 2 + 1]!],
    ] as const) {
      spans.starts[row] = at;
      spans.lengths[row] = part.length;
      at += part.length;
    }
  });
  return {
    count: rows.length,
    bytes: Buffer.concat(parts),
    idKind: 'text',
    id,
    stream,
    type: empty,
    data: empty,
    metadata: empty,
    versions: Float64Array.from(rows, (row) => row.version),
    times: new BigInt64Array(rows.length),
    timeTexts: null,
    jsonIsCompact: true,
  };
}

/** The same facts, worked out the slow and obvious way. */
function expectedFacts(rows: readonly Row[], stream: string) {
  const versions = rows.filter((row) => row.stream === stream).map((row) => row.version);
  const distinct = [...new Set(versions)].sort((a, b) => a - b);
  const gaps: [number, number][] = [];
  distinct.forEach((version, i) => {
    if (i > 0 && version > distinct[i - 1]! + 1) gaps.push([distinct[i - 1]! + 1, version - 1]);
  });
  return {
    events: versions.length,
    firstVersion: distinct[0],
    lastVersion: distinct.at(-1),
    gaps,
    duplicates: versions.length - distinct.length,
  };
}

function names(table: StreamTable): string[] {
  return Array.from(sortedStreams(table), (index) => Buffer.from(streamName(table, index)).toString());
}

const rowsArbitrary = fc.array(
  fc.record({
    stream: fc.constantFrom('a', 'ab', 'b', 'é', '\uffff', '😀', 'order-1', 'order-2'),
    version: fc.integer({ min: -2, max: 40 }),
    id: fc.uuid(),
  }),
  { minLength: 1, maxLength: 120 },
);

describe('the stream table', () => {
  it('finds events, gaps and duplicates of every stream, however the events are cut up and merged', () => {
    fc.assert(
      fc.property(
        rowsArbitrary,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        (rows, size, parts) => {
          const tables = Array.from({ length: parts }, makeStreamTable);
          for (let at = 0, n = 0; at < rows.length; at += size, n += 1) {
            if (n % 3 === 0) closeTable(tables[n % parts]!);
            addBatch(tables[n % parts]!, batchOf(rows.slice(at, at + size)));
            if (n % 2 === 0) closeTable(tables[n % parts]!);
          }
          const [table, ...others] = tables;
          for (const other of others) mergeTable(table!, structuredClone(other));
          for (let index = 0; index < table!.count; index += 1) {
            const stream = Buffer.from(streamName(table!, index)).toString();
            assert.deepEqual(streamFacts(table!, index), expectedFacts(rows, stream));
          }
          const byBytes = [...new Set(rows.map((row) => row.stream))].sort((a, b) =>
            Buffer.compare(Buffer.from(a), Buffer.from(b)),
          );
          assert.deepEqual(names(table!), byBytes);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('remembers the id of the last event, also when it is no UUID', () => {
    const table = makeStreamTable();
    const uuid = '01890a5d-ac96-774b-bcce-b302099a8057';
    addBatch(
      table,
      batchOf([
        { stream: 's', version: 2, id: uuid },
        { stream: 's', version: 1, id: 'x' },
      ]),
    );
    assert.equal(headId(table, 0), uuid);
    addBatch(table, batchOf([{ stream: 's', version: 3, id: 'NOT-A-UUID' }]));
    assert.equal(headId(table, 0), 'NOT-A-UUID');
    addBatch(table, batchOf([{ stream: 's', version: 4, id: uuid.toUpperCase() }]));
    assert.equal(headId(table, 0), uuid.toUpperCase());
    addBatch(table, batchOf([{ stream: 's', version: 5, id: '\ufeffx' }]));
    assert.equal(headId(table, 0), '\ufeffx');
  });

  it('keeps no list for streams that go on in the next part, whichever part comes first', () => {
    const partOf = (first: number): StreamTable => {
      const table = makeStreamTable();
      const rows = ['a', 'b'].flatMap((stream) =>
        [0, 1].map((i) => ({ stream, version: first + i, id: 'x' })),
      );
      addBatch(table, batchOf(rows));
      return table;
    };
    for (const order of [
      [1, 3, 5],
      [5, 3, 1],
    ]) {
      const [table, ...others] = order.map(partOf);
      for (const other of others) mergeTable(table!, other);
      assert.equal(table!.moreRuns.size, 0, order.join());
      assert.deepEqual(streamFacts(table!, 0), {
        ...{ events: 6, firstVersion: 1, lastVersion: 6, gaps: [], duplicates: 0 },
      });
    }
  });

  it('says which streams a batch holds, each once', () => {
    const table = makeStreamTable();
    const row = (stream: string, version: number): Row => ({ stream, version, id: 'x' });
    assert.deepEqual(addBatch(table, batchOf([row('a', 1), row('b', 1), row('a', 2)])).streams, [0, 1]);
    assert.deepEqual(addBatch(table, batchOf([row('b', 2), row('b', 3)])).streams, [1]);
  });

  it('keeps 200,000 streams apart', () => {
    const table = makeStreamTable();
    for (let at = 0; at < 200_000; at += 1000) {
      addBatch(
        table,
        batchOf(Array.from({ length: 1000 }, (_, i) => ({ stream: `s-${at + i}`, version: 1, id: 'x' }))),
      );
    }
    assert.equal(table.count, 200_000);
    const before = table.count;
    addBatch(table, batchOf([{ stream: 's-123456', version: 2, id: 'x' }]));
    assert.equal(table.count, before);
  });

  it('takes time, not memory, for a stream in random order', () => {
    const table = makeStreamTable();
    const versions = Array.from({ length: 20_000 }, (_, i) => ((i * 7919) % 20_000) + 1);
    for (let at = 0; at < versions.length; at += 500) {
      addBatch(
        table,
        batchOf(versions.slice(at, at + 500).map((version) => ({ stream: 's', version, id: 'x' }))),
      );
    }
    assert.deepEqual(streamFacts(table, 0), {
      events: 20_000,
      firstVersion: 1,
      lastVersion: 20_000,
      gaps: [],
      duplicates: 0,
    });
  });
});
