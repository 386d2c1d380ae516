import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StreamAppend } from '../../src/core/event.ts';
import { batchRows } from '../../src/testing/batches.ts';
import { generateAppends, generateBatches } from '../../src/testing/event-generator.ts';

const options = { seed: 42, events: 20_000 };

/** Events of appends in the order in which they were made, with the versions that a store would give them. */
function flatten(transactions: Iterable<readonly StreamAppend[]>, versionBase: number) {
  const versions = new Map<string, number>();
  const rows = [];
  for (const appends of transactions) {
    for (const { streamId, events } of appends) {
      for (const { id, type, data, metadata } of events) {
        const version = versions.get(streamId) ?? versionBase;
        versions.set(streamId, version + 1);
        rows.push({ id, streamId, version, type, data, metadata });
      }
    }
  }
  return rows;
}

describe('the event generator', () => {
  it('gives the same events for the same seed, and others for another', () => {
    const first = [...generateAppends(options)];
    assert.deepEqual(first, [...generateAppends(options)]);
    assert.notDeepEqual(first[0], [...generateAppends({ ...options, seed: 43 })][0]);
  });

  it('gives the same events as appends and as batches', () => {
    const asAppends = flatten(generateAppends(options), 1);
    const asBatches = [];
    for (const batch of generateBatches({ ...options, batchBytes: 100_000 })) {
      assert.ok(batch.bytes.length < 110_000);
      for (const { time: _, timeText: __, ...row } of batchRows(batch)) asBatches.push(row);
    }
    assert.equal(asBatches.length, asAppends.length);
    const byId = (a: { id?: unknown }, b: { id?: unknown }) => (String(a.id) < String(b.id) ? -1 : 1);
    assert.deepEqual(asBatches.sort(byId), asAppends.sort(byId));
  });

  it('expects of each stream the version that it has', () => {
    for (const versionBase of [0, 1] as const) {
      const versions = new Map<string, number>();
      for (const appends of generateAppends({ ...options, events: 2000, versionBase })) {
        for (const { streamId, expectedVersion, events } of appends) {
          const last = versions.get(streamId) ?? versionBase - 1;
          assert.equal(expectedVersion, BigInt(last));
          versions.set(streamId, last + events.length);
        }
      }
    }
  });

  it('makes payloads of 140 to 600 bytes that are JSON, and ids that are UUIDs of version 7 in order', () => {
    let lastId = '';
    for (const appends of generateAppends(options)) {
      for (const { data, metadata, id } of appends.flatMap((append) => append.events)) {
        JSON.parse(data);
        JSON.parse(metadata!);
        const sizeBytes = Buffer.byteLength(data);
        assert.ok(sizeBytes >= 140 && sizeBytes <= 600, `${sizeBytes}`);
        assert.match(id!, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.ok(id! > lastId || appends.length > 1);
        lastId = id!;
      }
    }
  });

  it('has busy streams and quiet ones, and transactions that write to several', () => {
    const events = new Map<string, number>();
    let several = 0;
    for (const appends of generateAppends(options)) {
      if (appends.length > 1) several += 1;
      for (const append of appends) {
        events.set(append.streamId, (events.get(append.streamId) ?? 0) + append.events.length);
      }
    }
    const sizes = [...events.values()].sort((a, b) => b - a);
    assert.ok(sizes[0]! > 20 * sizes[Math.floor(sizes.length / 2)]!);
    assert.ok(several > 500);
  });

  it('gives exactly as many events as asked for, without a gap', () => {
    for (const events of [0, 1, 2, 3, 4, 5, 10, 19, 1000, 1001, 1002]) {
      assert.equal(flatten(generateAppends({ seed: 1, events }), 1).length, events);
      let inBatches = 0;
      for (const batch of generateBatches({ seed: 1, events, batchBytes: 5000 })) inBatches += batch.count;
      assert.equal(inBatches, events);
    }
  });
});
