import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { generateHistory } from '../../bench/history/batches.ts';
import { batchRows, type TestEvent } from '../../src/testing/batches.ts';

const EVENTS = 50_000;

function gather(seed: number, events: number, batchBytes = 100_000): Required<TestEvent>[] {
  const rows = [];
  for (const batch of generateHistory({ seed, events, batchBytes })) rows.push(...batchRows(batch));
  return rows;
}

describe('the history that is measured', () => {
  let rows: Required<TestEvent>[];
  before(() => {
    rows = gather(7, EVENTS);
  });

  it('is the same for the same seed, whatever the size of the batches, and another for another', () => {
    const few = gather(7, 3000);
    assert.deepEqual(few, gather(7, 3000, 5000));
    assert.notDeepEqual(few[0], gather(8, 3000)[0]);
  });

  it('has exactly as many events as asked for', () => {
    for (const events of [0, 1, 2, 3, 9, 1000, 1001]) assert.equal(gather(1, events).length, events);
  });

  it('counts the versions of each stream from 1 without a gap', () => {
    const versions = new Map<unknown, number>();
    for (const { streamId, version } of rows) {
      assert.equal(version, (versions.get(streamId) ?? 0) + 1);
      versions.set(streamId, version);
    }
  });

  it('has a stream for twenty events, a few of them large and most of them short', () => {
    const sizes = new Map<unknown, number>();
    for (const { streamId } of rows) sizes.set(streamId, (sizes.get(streamId) ?? 0) + 1);
    const ordered = [...sizes.values()].sort((a, b) => b - a);
    assert.ok(Math.abs(ordered.length - EVENTS / 20) < 0.1 * (EVENTS / 20), `${ordered.length} streams`);
    assert.ok(ordered[0]! > 1500, `${ordered[0]} events in the largest`);
    assert.ok(ordered[ordered.length >> 1]! < 20);
  });

  it('goes forward in time, with ids in order within a transaction and streams that take turns', () => {
    let turns = 0;
    for (const [i, row] of rows.entries()) {
      assert.match(String(row.id), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      const last = rows[i - 1];
      if (last === undefined) continue;
      assert.ok(row.time >= last.time);
      if (row.time === last.time) assert.ok(String(row.id) > String(last.id));
      if (row.streamId !== last.streamId) turns += 1;
    }
    assert.ok(turns > EVENTS / 4, `${turns} turns`);
    assert.equal(new Set(rows.map(({ id }) => id)).size, EVENTS);
  });

  it('has 24 types, payloads of 150 to 600 bytes with a fresh UUID each, and metadata of three ids', () => {
    const uuids = new Set<string>();
    for (const { data, metadata } of rows) {
      JSON.parse(String(data));
      assert.equal(Object.keys(JSON.parse(String(metadata))).length, 3);
      const sizeBytes = Buffer.byteLength(String(data));
      assert.ok(sizeBytes >= 140 && sizeBytes <= 600, `${sizeBytes}: ${data}`);
      for (const [uuid] of String(data).matchAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}/g))
        uuids.add(uuid);
    }
    assert.equal(new Set(rows.map(({ type }) => type)).size, 24);
    assert.ok(uuids.size > 0.9 * EVENTS && uuids.size < 1.2 * EVENTS, `${uuids.size} UUIDs`);
  });
});
