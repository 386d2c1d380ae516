import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { StreamSummary } from '../../src/core/event-store.ts';
import { compareSummaries } from '../../src/recovery/compare-summaries.ts';

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

const stream = (streamId: string, changes: Partial<StreamSummary> = {}): StreamSummary => ({
  streamId,
  events: 3,
  firstVersion: 1,
  lastVersion: 3,
  lastEventId: '01890a5d-ac96-774b-bcce-b302099a8057',
  ...changes,
});

const backup = [stream('a'), stream('b'), stream('c')];

describe('comparing what was loaded with the backup', () => {
  it('counts when all is equal, whatever the case of the ids', async () => {
    const loaded = [
      stream('a'),
      stream('b', { lastEventId: stream('b').lastEventId.toUpperCase() }),
      stream('c'),
    ];
    assert.deepEqual(await compareSummaries(each(loaded), each(backup)), { events: 9, streams: 3 });
  });

  it('throws at any difference, naming the stream', async () => {
    const differences: [StreamSummary[], string][] = [
      [[stream('a'), stream('b')], 'c'],
      [[...backup, stream('d')], 'd'],
      [[stream('a'), stream('bb'), stream('c')], 'b'],
      [[stream('a', { events: 2 }), stream('b'), stream('c')], 'a'],
      [[stream('a'), stream('b', { firstVersion: 0 }), stream('c')], 'b'],
      [[stream('a'), stream('b'), stream('c', { lastVersion: 4 })], 'c'],
      [[stream('a'), stream('b', { lastEventId: 'x' }), stream('c')], 'b'],
      [[], 'a'],
    ];
    for (const [loaded, name] of differences) {
      await assert.rejects(
        compareSummaries(each(loaded), each(backup)),
        (error) => isBackupError(error, 'verification_failed') && error.facts.streamId === name,
      );
    }
  });
});
