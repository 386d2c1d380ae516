import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FeedOptions, NEW_LOG } from '../../../src/core/change-feed.ts';
import type { TestEvent } from '../../../src/testing/batches.ts';
import { eventsOf, follow, READ, resumption } from '../../../src/testing/change-feed/following.ts';
import { generateBatches } from '../../../src/testing/event-generator.ts';
import { inOrder, readAll } from '../../../src/testing/event-store/restoring.ts';
import { type TemporaryStore, temporaryStore } from './temporary-store.ts';

/** Starts a writing process, and waits until it has committed. */
async function startWriter(
  t: TestContext,
  place: TemporaryStore,
  name: string,
): Promise<() => Promise<void>> {
  const script = path.join(import.meta.dirname, 'feed-writing-child.ts');
  const child = spawn(process.execPath, [script, place.file, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  return async () => {
    child.kill('SIGKILL');
    await exited;
  };
}

/** Reads until the feed says that there is nothing more, and gives where that is. */
async function readOut(following: Awaited<ReturnType<typeof follow>>): Promise<bigint> {
  for (;;) {
    const batch = await following.next();
    if (batch?.events.length === 0 && batch.to !== null) return batch.to;
  }
}

/** The child's transactions are three events each, which lie together. */
function assertWhole(transactions: readonly { readonly events: readonly TestEvent[] }[]): void {
  for (const { events } of transactions) {
    assert.equal(events.length % 3, 0, `a transaction of ${events.length} events`);
    for (let row = 0; row < events.length; row += 3) {
      const [first, second, third] = events.slice(row, row + 3);
      assert.deepEqual([second!.streamId, third!.streamId], [first!.streamId, 'shared']);
      assert.equal(second!.version, first!.version + 1);
    }
  }
}

for (const mode of ['WAL', 'DELETE']) {
  test(`of two processes that write and are killed every event comes once, in journal mode ${mode}`, async (t) => {
    const place = temporaryStore(t);
    await place.store.initialise();
    place.connect().exec(`PRAGMA journal_mode = ${mode}`);
    let log: FeedOptions = NEW_LOG;
    const kept: Required<TestEvent>[] = [];
    for (let round = 0; round < 5; round += 1) {
      const following = await follow(place.store, log, { ...READ, batchBytes: 20_000, lingerMs: round * 4 });
      const reading = { isOver: false };
      const read = (async () => {
        while (!reading.isOver) await following.next();
      })();
      const kills = await Promise.all(['left', 'right'].map((name) => startWriter(t, place, name)));
      await sleep(100 + Math.random() * 200);
      await Promise.all(kills.map((kill) => kill()));
      reading.isOver = true;
      await read;
      const to = await readOut(following);
      assertWhole(following.seen.transactions);
      // Every third round is given up as if this side had died too: it has to come again.
      if (round % 3 !== 1) {
        // One by one: a quick machine writes more events than a call takes arguments.
        for (const event of eventsOf(following.seen)) kept.push(event);
        log = resumption(
          { ...following.seen, transactions: [{ ...NOTHING, events: kept }] },
          following.feed.source,
          to,
        );
      }
      await following.stop();
    }
    const last = await follow(place.store, log);
    await readOut(last);
    for (const event of eventsOf(last.seen)) kept.push(event);
    await last.stop();
    assert.ok(kept.length > 500, `${kept.length} events`);
    assert.deepEqual(inOrder(kept), await readAll(place.store));
  });
}

const NOTHING = { commit: 0n, time: 0n, xid: 0 };

const CATCH_UP_EVENTS = 500_000;
const LEAST_EVENTS_PER_SECOND = 40_000;

test('a feed catches up with 500,000 events at 40,000 events a second or more', async (t) => {
  const place = temporaryStore(t);
  const session = await place.store.openRestore({ attemptId: 'fill', replace: false });
  const writer = await session.openWriter();
  for (const batch of generateBatches({ seed: 5, events: CATCH_UP_EVENTS, batchBytes: 1 << 20 })) {
    await writer.write(batch);
  }
  await writer.end();
  await session.finishLoad();
  await session.publish();
  const { source } = await place.store.openFeed(NEW_LOG);
  const began = performance.now();
  const feed = await place.store.openFeed({ resumeAt: 1n, source, lastEventId: null });
  let events = 0;
  let bytes = 0;
  for await (const batch of feed.read({ ...READ, batchBytes: 4 << 20 })) {
    events += batch.events.count;
    bytes += batch.events.bytes.length;
    if (!batch.isOpen && events > 0) break;
  }
  const seconds = (performance.now() - began) / 1000;
  assert.equal(events, CATCH_UP_EVENTS);
  const rate = Math.round(events / seconds);
  t.diagnostic(`${rate} events a second, ${Math.round(bytes / seconds / 1e6)} MB/s, read into batches`);
  assert.ok(rate >= LEAST_EVENTS_PER_SECOND, `${rate} events a second`);
});
