import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NULL_LENGTH, spanBytes } from '../../src/core/event-batch.ts';
import { batchRows, completeEvent, makeBatch } from '../../src/testing/batches.ts';

test('a batch gives back the events that it was made of', () => {
  const events = [
    { streamId: 'account-1', version: 1 },
    {
      id: 'not a uuid',
      streamId: Uint8Array.of(0xff, 0x00),
      version: -3,
      type: '',
      data: null,
      metadata: Uint8Array.of(0xc0),
      time: -5n,
      timeText: '1999-12-31 23:59:59',
    },
  ];
  assert.deepEqual(batchRows(makeBatch(events)), events.map(completeEvent));
});

test('ids become 16 bytes only where all of them are canonical UUIDs', () => {
  const uuid = '018f4e9a-0000-7000-8000-00000000000a';
  const uuids = makeBatch([{ id: uuid, streamId: 's', version: 1 }]);
  assert.equal(uuids.idKind, 'uuid');
  assert.equal(spanBytes(uuids, uuids.id, 0)!.length, 16);
  const upperCase = makeBatch([{ id: uuid.toUpperCase(), streamId: 's', version: 1 }]);
  assert.equal(upperCase.idKind, 'text');
  assert.deepEqual(batchRows(upperCase)[0]!.id, uuid.toUpperCase());
  assert.equal(makeBatch([{ id: uuid, streamId: 's', version: 1 }], { idKind: 'text' }).idKind, 'text');
});

test('SQL NULL has the length that stands for it, and times without a text of their own make no map', () => {
  const batch = makeBatch([{ streamId: 's', version: 1, metadata: null }]);
  assert.equal(batch.metadata.lengths[0], NULL_LENGTH);
  assert.equal(batch.timeTexts, null);
});
