import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { StreamSummary } from '../../src/core/event-store.ts';
import { compareWithStore, type StreamPoint } from '../../src/recovery/stream-history.ts';

function held(events: number, lastVersion: number, lastEventId: string): StreamSummary {
  return { streamId: 's', events, firstVersion: 1, lastVersion, lastEventId };
}

function backup(head: StreamSummary | null): StreamPoint {
  const state = head === null ? 'absent' : 'held';
  return { state, head, isChanged: true, chainId: 'full', problem: null } as StreamPoint;
}

it('a stream of a store stands to the newest backup as its head and its number of events say', () => {
  const newest = backup(held(5, 5, 'e5'));
  const cases: [StreamPoint | null, StreamSummary | null, string | null, string][] = [
    [newest, held(5, 5, 'E5'), 'E5', 'same'],
    [newest, held(7, 7, 'e7'), 'e5', 'ahead'],
    [newest, held(7, 7, 'e7'), null, 'ahead'],
    [newest, held(4, 4, 'e4'), null, 'behind'],
    [newest, null, null, 'gone'],
    // Another event where the backup ends.
    [newest, held(5, 5, 'x5'), 'x5', 'differs'],
    [newest, held(7, 7, 'e7'), 'x5', 'differs'],
    // One is missing in between, or there twice.
    [newest, held(4, 5, 'e5'), 'e5', 'differs'],
    [newest, held(6, 7, 'e7'), 'e5', 'differs'],
    [newest, held(6, 5, 'e5'), 'e5', 'differs'],
    [backup(null), held(1, 1, 'e1'), null, 'new'],
    [backup(null), null, null, 'absent'],
    [null, held(1, 1, 'e1'), null, 'new'],
    [null, null, null, 'unknown'],
  ];
  for (const [point, live, idThere, standing] of cases) {
    assert.equal(compareWithStore(point, live, idThere), standing, JSON.stringify([live, idThere]));
  }
});
