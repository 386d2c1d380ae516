import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeChange } from '../../bench/history/change.ts';

const EVENTS = 1000;
const streams = Array.from({ length: EVENTS }, (_, i) => ({
  streamId: `order-${(i % 950).toString(16).padStart(16, '0')}`,
  version: BigInt(1 + (i % 30)),
}));
const known = new Set(streams.map(({ streamId }) => streamId));

const eventsOf = (change: ReturnType<typeof makeChange>) =>
  change.flat().flatMap(({ streamId, events }) => events.map((event) => ({ streamId, ...event })));

describe('what is new to an incremental backup', () => {
  it('is exactly as many events as asked for, in small transactions', () => {
    for (const events of [0, 1, 7, EVENTS]) {
      assert.equal(eventsOf(makeChange({ seed: 1, events, streams })).length, events);
    }
    const change = makeChange({ seed: 1, events: EVENTS, streams });
    assert.ok(change.length > 300 && change.length < 500, `${change.length} transactions`);
  });

  it('is in hundreds of streams, of which one in ten is new', () => {
    const events = eventsOf(makeChange({ seed: 1, events: EVENTS, streams }));
    const names = new Set(events.map(({ streamId }) => streamId));
    assert.ok(names.size > 900, `${names.size} streams`);
    const opened = [...names].filter((name) => !known.has(name));
    assert.equal(opened.length, EVENTS / 10);
  });

  it('has payloads and types as the history: a new stream begins with the event that opens it', () => {
    const openings =
      /^(AccountOpened|CustomerRegistered|DeviceInstalled|OrderPlaced|StockItemListed|TicketOpened)$/;
    for (const { streamId, type, data, metadata } of eventsOf(
      makeChange({ seed: 1, events: EVENTS, streams }),
    )) {
      assert.equal(openings.test(type), !known.has(streamId), `${streamId}: ${type}`);
      assert.ok(data.length >= 140 && data.length <= 600, data);
      assert.equal(Object.keys(JSON.parse(metadata ?? '{}')).length, 3);
    }
  });

  it('is the same for the same seed; another seed opens other streams', () => {
    const change = (seed: number) => makeChange({ seed, events: EVENTS, streams });
    assert.deepEqual(change(2), change(2));
    const opened = (seed: number) =>
      eventsOf(change(seed)).flatMap(({ streamId }) => (known.has(streamId) ? [] : [streamId]));
    const both = new Set(opened(2));
    assert.deepEqual(
      opened(3).filter((name) => both.has(name)),
      [],
    );
  });
});
