import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { StoreRange } from '../../../src/core/event-store.ts';
import { readRanges, seedSpread } from './spread-events.ts';
import { type RawEvent, type TemporaryStore, temporaryStore } from './temporary-store.ts';

async function readInThread(
  token: string,
  { address }: TemporaryStore,
  range: StoreRange,
): Promise<RawEvent[]> {
  const thread = new Worker(new URL('./view-thread.ts', import.meta.url), {
    workerData: { address, token, range },
  });
  const [events] = await once(thread, 'message');
  return events;
}

/** Starts a process that commits as fast as it can; resolves when it does. */
async function startWriting(t: TestContext, { file }: TemporaryStore): Promise<void> {
  const script = path.join(import.meta.dirname, 'writing-child.ts');
  const child = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await once(child.stdout!, 'data');
}

for (const round of [1, 2, 3]) {
  test(`threads that join while another process commits see one state, time ${round}`, async (t) => {
    const target = temporaryStore(t);
    await seedSpread(target);
    await startWriting(t, target);
    const snapshot = await target.store.openSnapshot();
    const before = (await target.store.count()).events;
    const ranges = await snapshot.planRanges(3);
    assert.equal(ranges.length, 3);
    const parts = await Promise.all(ranges.map((range) => readInThread(snapshot.token!, target, range)));
    const events = parts.flat();
    const whole = (await readRanges(snapshot, ranges)).map((event) => ({ ...event, data: null }));
    await snapshot.close();
    assert.deepEqual(events, whole);
    const versionsOf = (stream: string): number[] =>
      events
        .filter((event) => event.stream === Buffer.from(stream).toString('hex'))
        .map((event) => event.version);
    const left = versionsOf('left');
    assert.ok(left.length >= 10);
    assert.deepEqual(
      left,
      left.map((_, i) => i + 1),
    );
    assert.deepEqual(versionsOf('right'), left);
    const after = (await target.store.count()).events;
    assert.ok(after > before && before >= events.length, `${events.length}, ${before}, then ${after} events`);
  });
}
