import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parseFilesAddress } from '../../../src/stores/files/config.ts';
import { lockStore } from '../../../src/stores/files/lock.ts';
import { makeStaging, publishSteps, stagingOf } from '../../../src/stores/files/staging.ts';
import { temporaryFolder, testId, transactionText } from './folder.ts';

function tree(root: string): Record<string, string> {
  const files = fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== '.lock');
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const file = path.join(parentPath, name);
      return [path.relative(root, file), fs.readFileSync(file, 'utf8')];
    }),
  );
}

test('a restore that dies at any step of publishing leaves the old store or the new one, once the next one looks', async (t) => {
  for (let done = 0; ; done += 1) {
    const folder = temporaryFolder(t);
    folder.write({ events: ['old@1'] });
    for (const name of [
      'index/ingestion.log',
      'checkpoints/00.json',
      '.eventcore/replica_id',
      '.eventcore/snapshots/x.json',
    ]) {
      fs.mkdirSync(path.dirname(path.join(folder.root, name)), { recursive: true });
      fs.writeFileSync(path.join(folder.root, name), `old ${name}`);
    }
    const before = tree(folder.root);
    const staging = stagingOf(parseFilesAddress(folder.store.address), 'killed');
    await makeStaging(staging);
    const id = testId();
    const fresh = {
      [`events/${id}.jsonl`]: transactionText({ id, events: ['new@1'] }),
      'index/ingestion.log': 'new',
    };
    for (const [name, text] of Object.entries(fresh)) {
      fs.mkdirSync(path.dirname(path.join(staging.fresh, name)), { recursive: true });
      fs.writeFileSync(path.join(staging.fresh, name), text);
    }
    const steps = await publishSteps(parseFilesAddress(folder.store.address), staging);
    for (const step of steps.slice(0, done)) await step();
    const isPublished = done >= steps.length - 1;
    if (done < steps.length)
      assert.equal((await describeState(folder.store)).leftovers, 1, `after ${done} steps`);
    await folder.store.initialise();
    assert.deepEqual(
      tree(folder.root),
      isPublished ? fresh : before,
      `after ${done} of ${steps.length} steps`,
    );
    assert.deepEqual((await folder.store.examine()).leftovers, []);
    if (done === steps.length) break;
  }
});

/** While the events are out of the way there is no store, and whoever asks is told why. */
async function describeState(
  store: ReturnType<typeof temporaryFolder>['store'],
): Promise<{ leftovers: number }> {
  const { state } = await store.inspect();
  if (state === 'filled') return { leftovers: (await store.examine()).leftovers.length };
  await assert.rejects(store.openSnapshot(), { code: 'not_an_event_store', message: /was killed/ });
  return { leftovers: 1 };
}

test('what a killed restore had put back is not written over when EventCore was quicker', async (t) => {
  const folder = temporaryFolder(t);
  folder.write({ events: ['old@1'] });
  const staging = stagingOf(parseFilesAddress(folder.store.address), 'killed');
  await makeStaging(staging);
  const [first] = await publishSteps(parseFilesAddress(folder.store.address), staging);
  await first!();
  folder.write({ events: ['meanwhile@1'] });
  const before = tree(folder.root);
  await assert.rejects(folder.store.initialise(), { code: 'store_refused', message: /was written to/ });
  assert.deepEqual(tree(folder.root), before);
});

/** A process that holds the lock as EventCore does. */
async function holdLock(root: string) {
  const child = spawn('flock', ['-x', path.join(root, '.lock'), 'sh', '-c', 'echo held; cat >/dev/null']);
  await once(child.stdout, 'data');
  return async (): Promise<void> => {
    child.stdin.end();
    await once(child, 'exit');
  };
}

test('a store that EventCore has open is restored into by nobody, and read by everybody', async (t) => {
  const folder = temporaryFolder(t);
  folder.write({ events: ['a@1'] });
  const release = await holdLock(folder.root);
  try {
    const before = tree(folder.root);
    await assert.rejects(folder.store.openRestore({ attemptId: testId(), replace: true }), {
      code: 'lease_held',
      message: /open in EventCore/,
    });
    assert.deepEqual(tree(folder.root), before);
    assert.equal((await folder.store.count()).events, 1);
  } finally {
    await release();
  }
  const session = await folder.store.openRestore({ attemptId: testId(), replace: true });
  await session.discard();
});

test('while a restore goes on EventCore cannot open the store, and when its process dies it can', async (t) => {
  const folder = temporaryFolder(t);
  folder.write({ events: ['a@1'] });
  const lock = await lockStore(parseFilesAddress(folder.store.address), 0);
  const tryLock = async (): Promise<number> =>
    (await once(spawn('flock', ['-x', '-n', path.join(folder.root, '.lock'), 'true']), 'exit'))[0];
  assert.equal(await tryLock(), 1);
  await assert.rejects(lockStore(parseFilesAddress(folder.store.address), 0), { code: 'lease_held' });
  await lock.release();
  assert.equal(await tryLock(), 0);
  const script = `
    import { lockStore } from ${JSON.stringify(path.resolve('src/stores/files/lock.ts'))};
    import { parseFilesAddress } from ${JSON.stringify(path.resolve('src/stores/files/config.ts'))};
    await lockStore(parseFilesAddress(${JSON.stringify(folder.store.address)}), 0);
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.equal(await tryLock(), 1);
  child.kill('SIGKILL');
  await once(child, 'exit');
  for (let tries = 0; (await tryLock()) !== 0; tries += 1)
    assert.ok(tries < 200, 'the lock outlived its process');
});
