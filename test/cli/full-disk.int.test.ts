/** Commands that meet a really full disk; mounting a small one takes root on Linux. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { fillStore, makeFolder, runHere } from '../harness/command.ts';

const run = promisify(execFile);
const EVENTS = 5000;

async function withSmallDisk(
  t: TestContext,
  work: (folder: string, disk: string) => Promise<void>,
): Promise<void> {
  const folder = await makeFolder();
  const disk = join(folder.path, 'disk');
  await mkdir(disk);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', disk]);
  } catch (error) {
    t.skip(`NOT TESTED: mounting a filesystem takes root on Linux (${String(error).split('\n')[0]})`);
    await folder.remove();
    return;
  }
  try {
    await work(folder.path, disk);
  } finally {
    await run('umount', [disk]);
    await folder.remove();
  }
}

test('a backup to a full disk ends with exit code 6, says so, and leaves nothing', async (t) => {
  await withSmallDisk(t, async (folder, disk) => {
    const store = `sqlite:${join(folder, 'events.db')}`;
    await fillStore(store, EVENTS);
    const ran = await runHere([
      'backup',
      'full',
      '--store',
      store,
      '--vault',
      disk,
      '--compression',
      'none',
      '--json',
    ]);
    assert.equal(ran.code, 6, ran.stderr);
    assert.equal(JSON.parse(ran.stderr).error.code, 'vault_full');
    assert.deepEqual(await readdir(disk), []);
    const small = await runHere(['backup', 'full', '--store', store, '--vault', join(folder, 'elsewhere')]);
    assert.equal(small.code, 0, small.stderr);
  });
});

test('a restore to a full disk ends with exit code 5, says so, and leaves no store', async (t) => {
  await withSmallDisk(t, async (folder, disk) => {
    const store = `sqlite:${join(folder, 'events.db')}`;
    const vault = join(folder, 'vault');
    await fillStore(store, EVENTS);
    assert.equal((await runHere(['backup', 'full', '--store', store, '--vault', vault])).code, 0);
    const target = join(disk, 'restored.db');
    const ran = await runHere(['restore', '--to', `sqlite:${target}`, '--vault', vault, '--json']);
    assert.equal(ran.code, 5, ran.stderr);
    const left = await stat(target).then(
      ({ size }) => size,
      () => 0,
    );
    assert.equal(left, 0);
  });
});
