import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import { type EventBatch, spanBytes } from '../../src/core/event-batch.ts';
import { makeOpener } from '../../src/format/envelope.ts';
import { makeBatch } from '../../src/testing/batches.ts';

function enveloped(envelopes: readonly string[], ids?: readonly string[]): EventBatch {
  return makeBatch(
    envelopes.map((metadata, i) => ({
      ...{ streamId: 's', version: i, metadata },
      ...(ids === undefined ? {} : { id: ids[i]! }),
    })),
  );
}

function metadataOf(batch: EventBatch): string[] {
  return Array.from({ length: batch.count }, (_, row) =>
    Buffer.from(spanBytes(batch, batch.metadata, row)!).toString(),
  );
}

describe('opening envelopes of stores of others', () => {
  it('gives back the metadata byte for byte, whatever it is, and counts the columns', () => {
    const columns = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constant(null)));
    const row = fc.record({
      columns,
      metadata: fc.jsonValue(),
      isSpaced: fc.boolean(),
      isFirst: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
        const opener = makeOpener();
        const texts = rows.map(({ columns, metadata, isSpaced, isFirst }) => {
          const parts = [`"metadata":${JSON.stringify(metadata)}`, `"columns":${JSON.stringify(columns)}`];
          return `{${(isFirst ? parts : parts.toReversed()).join(isSpaced ? ' , ' : ',')}}`;
        });
        const opened = opener.open(enveloped(texts));
        assert.deepEqual(
          metadataOf(opened),
          rows.map(({ metadata }) => JSON.stringify(metadata)),
        );
        const counted = new Map(opener.contents.columns.map((column) => [column.name, column]));
        for (const name of rows.flatMap(({ columns }) => Object.keys(columns))) {
          const having = rows.filter(({ columns }) => Object.hasOwn(columns, name));
          const nulls = having.filter(({ columns }) => columns[name] === null).length;
          assert.deepEqual(counted.get(name), { name, present: having.length, nulls });
        }
      }),
    );
  });

  it('gives {} where there was none, beside others of the same batch', () => {
    const opened = makeOpener().open(
      enveloped(['{"columns": {"a": "1"}}', '{"columns": {}, "metadata": {"x": [1]}}', '{"columns": {}}']),
    );
    assert.deepEqual(metadataOf(opened), ['{}', '{"x": [1]}', '{}']);
    assert.deepEqual([...opened.versions.subarray(0, opened.count)], [0, 1, 2]);
  });

  it('counts ids that do not say what came first, of either kind', () => {
    const [random, ordered] = [
      '00000000-0000-4000-8000-000000000000',
      '018f4e9a-1c2d-7000-8000-000000000001',
    ];
    for (const [ids, count] of [
      [[random, ordered], 1],
      [['not a uuid', ordered, random], 2],
    ] as const) {
      const opener = makeOpener();
      opener.open(
        enveloped(
          ids.map(() => '{"columns": {}}'),
          ids,
        ),
      );
      assert.equal(opener.contents.unorderedIds, count);
    }
  });

  it('refuses what is no envelope', () => {
    for (const text of [
      '{}x',
      '[]',
      'null',
      '{"metadata": 1',
      '{"other": 1}',
      '{"columns": [], "metadata": 1}',
      '{"a"}',
    ])
      assert.throws(
        () => makeOpener().open(enveloped([text])),
        (error) => isBackupError(error, 'damaged'),
        text,
      );
  });
});
