import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  awaitCommand,
  digestAt,
  fillStore,
  makeFolder,
  type Ran,
  runCommand,
  startCommand,
  withStoreAt,
} from '../harness/command.ts';

const EVENTS = 40_000;
const KILLS = 6;
const MOST_KILLS = 6 * KILLS;

describe('a consolidation on a disk', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let digest: string;
  const run = async (...words: string[]): Promise<Ran> => {
    const ran = await runCommand(folder, [...words, '--vault', 'vault']);
    assert.equal(ran.code, 0, ran.stderr);
    return ran;
  };

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    const store = `sqlite:${folder}/events.db`;
    await fillStore(store, EVENTS);
    await run('backup', 'full', '--store', store, '--parallel', '2');
    for (const text of ['one', 'two']) {
      const events = Array.from({ length: 500 }, (_, i) => ({
        type: 'Added',
        data: JSON.stringify({ i, text }),
      }));
      await withStoreAt(store, (open) => open.append([{ streamId: 'one-more', events }]));
      await run('backup', 'incremental', '--store', store);
    }
    digest = await digestAt(store);
  });
  after(() => remove());

  it('that is killed leaves no backup of its own and the chain as it was', async () => {
    const chain = await digestsBelow(join(folder, 'vault/backups'));
    const backups = await countBackups();
    const slowly = [
      'backup',
      'full',
      '--from-chain',
      '--compression',
      'gzip',
      '--level',
      '9',
      '--vault',
      'vault',
    ];
    const startedAt = performance.now();
    const first = JSON.parse((await run(...slowly.slice(0, -2), '--json')).stdout);
    const usualMs = performance.now() - startedAt;
    await rm(join(folder, 'vault', first.folder), { recursive: true });
    let leftAttempts = 0;
    for (let kill = 0; kill < KILLS || (leftAttempts === 0 && kill < MOST_KILLS); kill += 1) {
      const child = startCommand(folder, slowly);
      const ended = awaitCommand(child);
      // From when it has started to when it is nearly done; how long that is changes with what else the machine does.
      await Promise.race([sleep(usualMs * (0.2 + (0.7 * (kill % KILLS)) / KILLS)), ended]);
      child.kill('SIGKILL');
      await ended;
      const { backups: found, unfinished, damaged } = await list();
      assert.deepEqual(damaged, []);
      for (const { folder: attempt } of unfinished) {
        leftAttempts += 1;
        await rm(join(folder, 'vault', attempt), { recursive: true });
      }
      for (const { backupId } of found.slice(backups)) {
        const ran = await run('verify', backupId);
        assert.match(ran.stdout, /sound/);
        await rm(join(folder, 'vault/backups', `full-backup-${backupId}.eventcore`), { recursive: true });
      }
      assert.deepEqual(await digestsBelow(join(folder, 'vault/backups')), chain);
    }
    await run('verify');
    assert.ok(leftAttempts > 0, 'no kill met a consolidation at work: the test proves nothing');
  });

  it('takes almost no space, and keeps all when the chain is gone', async () => {
    const before = await spaceBelow(join(folder, 'vault'));
    const old = await readdir(join(folder, 'vault/backups'));
    const report = JSON.parse((await run('backup', 'full', '--from-chain', '--json')).stdout);
    assert.equal(report.filesEncoded, 0);
    const bundle = join(folder, 'vault', report.folder);
    for (const name of await readdir(bundle)) {
      const isShared = name.startsWith('events-') && !name.endsWith('.index');
      if (isShared) assert.equal((await lstat(join(bundle, name))).nlink, 2, name);
    }
    const grown = (await spaceBelow(join(folder, 'vault'))) - before;
    assert.ok(grown < 0.2 * report.sizeBytes, `${grown} more bytes for a backup of ${report.sizeBytes}`);
    for (const name of old) await rm(join(folder, 'vault/backups', name), { recursive: true, force: true });
    await run('verify');
    await run('restore', '--to', 'sqlite:target.db');
    assert.equal(await digestAt(`sqlite:${folder}/target.db`), digest);
  });

  async function list() {
    return JSON.parse((await run('list', '--json')).stdout);
  }

  async function countBackups(): Promise<number> {
    return (await list()).backups.length;
  }
});

/** Without what killed writers left: the next run takes it away. */
async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.tmp-'));
  return files.map((entry) => join(entry.parentPath, entry.name));
}

async function digestsBelow(path: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const file of await filesBelow(path)) {
    digests[file] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  }
  return digests;
}

/** Bytes on the disk; a file with several names counts once. */
async function spaceBelow(path: string): Promise<number> {
  const inodes = new Map<number, number>();
  for (const file of await filesBelow(path)) {
    const { ino, size } = await lstat(file);
    inodes.set(ino, size);
  }
  return [...inodes.values()].reduce((sum, size) => sum + size, 0);
}
