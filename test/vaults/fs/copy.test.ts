import assert from 'node:assert/strict';
import { link, lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BackupError, isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { copyObject } from '../../../src/vaults/fs/copy.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

/** More than is copied at once. */
const LARGE = 9_000_001;

test('a copy is a second name of the same file and takes no space', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'old/events', new Uint8Array(LARGE).fill(7));
    await vault.copyObject('old/events', 'new/events');
    const [first, second] = [await lstat(join(path, 'old/events')), await lstat(join(path, 'new/events'))];
    assert.equal(first.ino, second.ino);
    assert.equal(second.nlink, 2);
    await vault.removeObject('old/events');
    assert.equal((await lstat(join(path, 'new/events'))).nlink, 1);
    assert.deepEqual(await readdir(path), ['new']);
  });
});

for (const code of ['EPERM', 'ENOTSUP', 'EXDEV', 'EMLINK']) {
  test(`where a second name cannot be had (${code}) the bytes are copied`, async () => {
    await withTemporaryDirectory(async (path) => {
      const vault = await openVault(path);
      const bytes = new Uint8Array(LARGE).map((_, i) => i);
      await put(vault, 'old/events', bytes);
      await copyWith(path, vault, 'new/events', failing(code));
      assert.equal(Buffer.compare(await readFile(join(path, 'new/events')), bytes), 0);
      assert.equal((await lstat(join(path, 'new/events'))).nlink, 1);
      await assert.rejects(copyWith(path, vault, 'new/events', failing(code)), (error) =>
        isBackupError(error, 'vault_object_exists'),
      );
      assert.deepEqual(await readdir(join(path, 'new')), ['events']);
    });
  });
}

test('a directory that another clean-up takes away before the link is created again', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'old/events', new Uint8Array(10));
    let attempts = 0;
    await copyWith(path, vault, 'new/deeper/events', async (from, to) => {
      attempts += 1;
      if (attempts < 3) await vault.removeLeftovers('new/');
      await link(from, to);
    });
    assert.equal(attempts, 3);
    assert.equal((await vault.stat('new/deeper/events'))?.sizeBytes, 10);
  });
});

test('an object that goes away before the link is reported as missing, and no directory stays', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'old/events', new Uint8Array(10));
    const copy = copyWith(path, vault, 'new/events', async (from, to) => {
      await vault.removeObject('old/events');
      await link(from, to);
    });
    await assert.rejects(copy, (error) => isBackupError(error, 'vault_object_missing'));
    assert.deepEqual(await readdir(path), []);
  });
});

test('a disk that fails says so, and nothing of the copy stays', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'old/events', new Uint8Array(10));
    await assert.rejects(copyWith(path, vault, 'new/events', failing('ENOSPC')), (error) =>
      isBackupError(error, 'vault_full'),
    );
    assert.deepEqual(await readdir(path), ['old']);
  });
});

function failing(code: string): typeof link {
  return async () => {
    throw Object.assign(new Error(code), { code, errno: -1 });
  };
}

async function copyWith(path: string, vault: Vault, to: string, linkFile: typeof link): Promise<void> {
  const { dev, ino } = await stat(path);
  const source = {
    path: join(path, 'old/events'),
    sizeBytes: (await vault.stat('old/events'))!.sizeBytes,
    readRange: (offset: number, length: number) => vault.readRange('old/events', offset, length),
    missing: async () => new BackupError('vault_object_missing', 'gone'),
  };
  await copyObject({ path, device: dev, inode: ino }, source, to, linkFile);
}

async function openVault(path: string): Promise<Vault> {
  const vault = openDirectoryVault(path);
  await vault.open({ create: true });
  return vault;
}

async function put(vault: Vault, name: string, bytes: Uint8Array): Promise<void> {
  const writer = await vault.createObject(name);
  await writer.write(bytes);
  await writer.commit();
}
