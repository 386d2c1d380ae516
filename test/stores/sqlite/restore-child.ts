import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { makeBatch, type TestEvent } from '../../../src/testing/batches.ts';

/** A process that restores 80 MB into `argv[2]`, more than SQLite keeps in memory, and says how far it has come. */

const BATCHES = 10;
const EVENTS_PER_BATCH = 1000;
const DATA = JSON.stringify('x'.repeat(8000));

function events(batch: number): TestEvent[] {
  return Array.from({ length: EVENTS_PER_BATCH }, (_, i) => ({
    id: `00000000-0000-7000-8000-${(batch * EVENTS_PER_BATCH + i).toString(16).padStart(12, '0')}`,
    streamId: `stream-${i}`,
    version: batch + 1,
    data: DATA,
  }));
}

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}

const store = openSqliteStore(process.argv[2]!);
const session = await store.openRestore({ attemptId: 'child', replace: true });
say('opened');
const writer = await session.openWriter();
for (let batch = 0; batch < BATCHES; batch += 1) {
  await writer.write(makeBatch(events(batch)));
  say(`wrote ${batch + 1}`);
}
await writer.end();
say('finishing');
await session.finishLoad();
say('publishing');
await session.publish();
say('published');
