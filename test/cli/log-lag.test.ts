import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makePaint } from '../../src/cli/output.ts';
import { lagLines, lagOf } from '../../src/cli/status/log-lag.ts';
import type { FeedState } from '../../src/core/change-feed.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { SpanFacts } from '../../src/recovery/windows.ts';

const NOW_MS = Date.UTC(2026, 10, 29);

const LAST = {
  span: { from: 0n, to: 1000n, files: [] },
  source: { kind: 'postgres', systemIdentifier: '1', timeline: 1, database: '1', relation: '1' },
  until: timeFromUnixMs(NOW_MS - 4000),
} as unknown as SpanFacts;

const STATE: FeedState = {
  ...{ position: 3000n, acknowledged: 1000n, retainedBytes: 2000, spareBytes: null, isRead: true },
};

it('the lag of a server’s log is told in events, bytes and seconds, and says so where events are too many to count', () => {
  const counted = lagOf(STATE, LAST, { nowMs: NOW_MS, events: 1 });
  assert.deepEqual([counted.events, counted.bytes, counted.seconds], [1, 2000, 4]);
  const paint = makePaint({ isTTY: false } as never, {});
  assert.match(
    lagLines(counted, paint)[0]!,
    /behind the store by 1 event, 2\.0 kB of the store's log, 4\.0 s/,
  );
  const many = lagOf(STATE, LAST, { nowMs: NOW_MS, events: null });
  assert.match(lagLines(many, paint)[0]!, /by a number of events that cannot be told quickly, 2\.0 kB/);
  const none = lagOf({ ...STATE, position: 1000n }, LAST, { nowMs: NOW_MS, events: 0 });
  assert.deepEqual([none.events, none.bytes, none.seconds], [0, 0, 0]);
});
