/** On real filesystems that are full or read-only; mounting them takes root on Linux. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { type BackupError, isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;

test('on a full disk a write fails with what was needed and free, and leaves nothing', async (t) => {
  await withFilesystem(t, ['size=2m'], async (path, vault) => {
    await put(vault, 'backups/first', MEBIBYTE);
    const error = await failure(put(vault, 'backups/too-large', 2 * MEBIBYTE));
    assert.equal(error.code, 'vault_full');
    assert.equal(error.retryable, true);
    assert.match(error.hint ?? '', /this file had \d+ bytes so far, free now: \d+ bytes/);
    assert.ok(Number(error.facts.writtenBytes) > 0);
    assert.deepEqual(await readdir(`${path}/backups`), ['first']);
    assert.equal((await vault.readRange('backups/first', 0, MEBIBYTE)).length, MEBIBYTE);
    await put(vault, 'backups/second', MEBIBYTE / 2);
  });
});

test('on a disk that fills up while small writes are gathered the commit fails and leaves nothing', async (t) => {
  await withFilesystem(t, ['size=1m'], async (path, vault) => {
    const [first, second] = [await vault.createObject('a/first'), await vault.createObject('a/second')];
    for (let i = 0; i < 8; i += 1) await first.write(new Uint8Array(MEBIBYTE / 8 - 1000));
    await second.write(new Uint8Array(200_000));
    const error = await failure(first.commit().then(() => second.commit()));
    assert.equal(error.code, 'vault_full');
    assert.deepEqual(await readdir(`${path}/a`), ['first']);
    await first.abort();
    await second.abort();
  });
});

test('a filesystem that can hold no more files is full, whatever it has free', async (t) => {
  // The directory itself, the first object, and one more: a second object needs two names for a moment.
  await withFilesystem(t, ['size=2m', 'nr_inodes=3'], async (path, vault) => {
    await put(vault, 'first', 10);
    const writer = await vault.createObject('second');
    assert.equal((await failure(vault.createObject('third'))).code, 'vault_full');
    assert.equal((await failure(openDirectoryVault(path).open({ create: true }))).code, 'vault_full');
    const error = await failure(writer.commit());
    assert.equal(error.code, 'vault_full');
    assert.match(error.hint ?? '', /no room for another file/);
    assert.deepEqual(await readdir(path), ['first']);
  });
});

test('a read-only disk serves backups and refuses changes', async (t) => {
  await withFilesystem(t, ['size=2m'], async (path, vault) => {
    await put(vault, 'backups/first', 1000);
    await run('mount', ['-o', 'remount,ro', path]);
    const reader = openDirectoryVault(path);
    await reader.open({ create: false });
    assert.equal((await reader.readRange('backups/first', 0, 1000)).length, 1000);
    for (const call of [
      () => reader.createObject('backups/second'),
      () => reader.createObject('new/second'),
      () => reader.removeObject('backups/first'),
      () => openDirectoryVault(path).open({ create: true }),
    ]) {
      const error = await failure(call());
      assert.equal(error.code, 'vault_refused');
      assert.match(error.hint ?? '', /read-only/);
    }
    assert.equal((await reader.stat('backups/first'))?.sizeBytes, 1000);
  });
});

test('a disk that is unmounted under a running backup is noticed', async (t) => {
  await withFilesystem(t, ['size=2m'], async (path, vault) => {
    await put(vault, 'backups/first', 1000);
    await run('umount', [path]);
    assert.equal((await failure(vault.createObject('backups/second'))).code, 'vault_unreachable');
    assert.equal((await failure(vault.stat('backups/first'))).code, 'vault_unreachable');
    assert.deepEqual(await readdir(path), []);
  });
});

/** Runs `body` with a vault on a new tmpfs; skips the test where none can be mounted. */
async function withFilesystem(
  t: TestContext,
  options: readonly string[],
  body: (path: string, vault: Vault) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (path) => {
    try {
      await run('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', path]);
    } catch (error) {
      t.skip(`NOT TESTED: mounting a filesystem takes root on Linux (${String(error).split('\n')[0]})`);
      return;
    }
    try {
      const vault = openDirectoryVault(path);
      await vault.open({ create: true });
      await body(path, vault);
    } finally {
      await run('umount', [path]).catch(() => {}); // A test may have unmounted it itself.
    }
  });
}

async function put(vault: Vault, name: string, sizeBytes: number): Promise<void> {
  const writer = await vault.createObject(name);
  try {
    for (let left = sizeBytes; left > 0; left -= 100_000) {
      await writer.write(new Uint8Array(Math.min(left, 100_000)));
    }
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function failure(promise: Promise<unknown>): Promise<BackupError> {
  const outcome = await promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
  assert.ok(isBackupError(outcome), `expected a failure, but: ${String(outcome)}`);
  return outcome;
}
