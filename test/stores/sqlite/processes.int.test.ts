import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeBatch } from '../../../src/testing/batches.ts';
import { readRaw, type TemporaryStore, temporaryStore } from './temporary-store.ts';

const RESTORED_EVENTS = 10_000;

function start(script: string, ...args: string[]) {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, lines: createInterface(child.stdout!), exited: once(child, 'exit') };
}

/** Kills a restoring process some milliseconds after it has said `moment`. */
async function killAt(address: string, moment: string, delayMs: number): Promise<void> {
  const { child, lines, exited } = start('restore-child.ts', address);
  let reached = false;
  for await (const line of lines) {
    if (line !== moment) continue;
    reached = true;
    await sleep(delayMs);
    child.kill('SIGKILL');
    break;
  }
  await exited;
  assert.ok(reached, `the process ended before "${moment}"`);
}

async function restoreAgain({ store }: TemporaryStore): Promise<readonly string[]> {
  const session = await store.openRestore({ attemptId: 'again', replace: true });
  const writer = await session.openWriter();
  await writer.write(makeBatch([{ id: 'again', streamId: 'a', version: 1 }]));
  await writer.end();
  await session.finishLoad();
  await session.publish();
  return session.discarded;
}

/** Fails unless the target holds all of `before` or all that the killed process was to restore; true for the latter. */
async function isWhole(target: TemporaryStore, before: number): Promise<boolean> {
  const { state } = await target.store.inspect();
  const events = state === 'missing' ? 0 : (await target.store.count()).events;
  assert.ok(events === before || events === RESTORED_EVENTS, `${events} events`);
  assert.equal(target.connect().prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
  return events === RESTORED_EVENTS;
}

const MOMENTS = ['opened', 'wrote 1', 'wrote 5', 'wrote 10', 'finishing', 'publishing'];

type Preparation = readonly [
  what: string,
  prepare: (target: TemporaryStore) => Promise<void>,
  events: number,
];

const PREPARATIONS: readonly Preparation[] = [
  ['no file', async () => {}, 0],
  ['an empty store', ({ store }) => store.initialise(), 0],
  [
    'a filled store',
    async ({ store }) => {
      await store.initialise();
      const events = Array.from({ length: 500 }, (_, n) => ({ type: 'Old', data: `{"n": ${n}}` }));
      await store.append([{ streamId: 'old', events }]);
    },
    500,
  ],
];

for (const [what, prepare, before] of PREPARATIONS) {
  for (const moment of MOMENTS) {
    const delayMs = Math.floor(Math.random() * 40);
    test(`killed ${delayMs} ms after "${moment}", a restore into ${what} leaves it whole`, async (t: TestContext) => {
      const target = temporaryStore(t);
      await prepare(target);
      const old = before === 0 ? [] : await readRaw(target.store);
      await killAt(target.address, moment, delayMs);
      const published = await isWhole(target, before);
      assert.ok(!published || moment === 'publishing', 'published before its time');
      if (!published && before > 0) assert.deepEqual(await readRaw(target.store), old);
      await restoreAgain(target);
      const events = await readRaw(target.store);
      assert.deepEqual(
        events.map((event) => event.id),
        [Buffer.from('again').toString('hex')],
      );
    });
  }
}

test('what a killed restore left half-written is told to the next one', async (t) => {
  const target = temporaryStore(t);
  await killAt(target.address, 'wrote 10', 0);
  const discarded = await restoreAgain(target);
  assert.equal(discarded.length, 1);
  assert.match(discarded[0]!, /unfinished transaction of a killed process in sqlite:.*events\.db/);
  assert.deepEqual(target.files(), ['events.db']);
});

test('a restore that the disk stops half-way leaves the target as it was', async (t) => {
  const target = temporaryStore(t);
  const [, prepare, before] = PREPARATIONS[2]!;
  await prepare(target);
  const old = await readRaw(target.store);
  // No file of the child may pass some 20 MB (the unit differs from shell to shell); the restore needs 80.
  const command = 'ulimit -f 30000 && exec "$0" "$@"';
  const script = path.join(import.meta.dirname, 'restore-child.ts');
  // As for the command itself: src/cli/engine.ts says why.
  const words = ['-c', command, process.execPath, '--no-concurrent-sparkplug', script, target.address];
  const child = spawn('sh', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const said = await text(child.stderr!);
  assert.match(said, /BackupError.*cannot be read or written|BackupError.*disk is full/);
  assert.equal(await isWhole(target, before), false);
  assert.deepEqual(await readRaw(target.store), old);
});

test('a discard loses nothing that another process writes into the new file meanwhile', async (t) => {
  const { store, file, files } = temporaryStore(t);
  const session = await store.openRestore({ attemptId: 'attempt', replace: false });
  const code = `const db = new (require('node:sqlite').DatabaseSync)(process.argv[1], { timeout: 20000 });
    console.log('waiting'); db.exec('CREATE TABLE notes (text)'); db.close();`;
  const child = spawn(process.execPath, ['-e', code, file], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  await once(child.stdout!, 'data');
  await sleep(200);
  await session.discard();
  const [exitCode] = await exited;
  const kept = files().includes('events.db');
  assert.equal(
    exitCode === 0,
    kept,
    `the other process ended with ${exitCode}, the file is ${kept ? 'there' : 'gone'}`,
  );
});

test('a restore that ends well holds everything and leaves one file', async (t) => {
  const target = temporaryStore(t);
  const { lines, exited } = start('restore-child.ts', target.address);
  const said: string[] = [];
  for await (const line of lines) said.push(line);
  assert.deepEqual(await exited, [0, null]);
  assert.equal(said.at(-1), 'published');
  assert.deepEqual(target.files(), ['events.db']);
  assert.deepEqual(await target.store.count(), { events: RESTORED_EVENTS, streams: 1000 });
});

test('4 processes that append to one stream lose nothing and leave no gap', async (t) => {
  const { store, address } = temporaryStore(t);
  await store.initialise();
  const children = ['a', 'b', 'c', 'd'].map((name) => start('append-child.ts', address, '50', name));
  for (const { exited } of children) assert.deepEqual(await exited, [0, null]);
  const events = await store.readStream('shared');
  assert.deepEqual(
    events.map((event) => Number(event.version)),
    Array.from({ length: 200 }, (_, i) => i + 1),
  );
  assert.equal(new Set(events.map((event) => event.data)).size, 200);
});

test('a snapshot stays the same while other processes append', async (t) => {
  const { store, address } = temporaryStore(t);
  await store.initialise();
  const events = Array.from({ length: 3000 }, (_, n) => ({ type: 'Old', data: `{"n": ${n}}` }));
  await store.append([{ streamId: 'old', events }]);
  const snapshot = await store.openSnapshot();
  const [range] = await snapshot.planRanges(1);
  const { exited } = start('append-child.ts', address, '100', 'late');
  let read = 0;
  for await (const batch of snapshot.readRange(range!, { batchBytes: 10_000 })) {
    read += batch.count;
    await sleep(10);
  }
  assert.equal(read, 3000);
  assert.deepEqual(await exited, [0, null]);
  let again = 0;
  for await (const batch of snapshot.readRange(range!, { batchBytes: 1 << 20 })) again += batch.count;
  assert.equal(again, 3000);
  await snapshot.close();
  assert.equal((await store.count()).events, 3100);
});
