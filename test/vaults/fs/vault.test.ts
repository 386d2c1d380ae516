import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { vaultContract } from '../../../src/testing/vault-contract.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { makeTemporaryDirectory, withTemporaryDirectory } from './temporary-directory.ts';

const HELLO = new TextEncoder().encode('hello');

vaultContract({
  name: 'a directory',
  setup: async () => {
    const place = await makeTemporaryDirectory();
    const path = join(place.path, 'not', 'yet', 'there');
    const vault = await openVault(path);
    return {
      vault,
      reopen: () => openVault(path),
      dispose: async () => {
        try {
          // Whatever a case did, it stayed inside the vault, and no unfinished file was left behind.
          assert.deepEqual(await readdir(place.path), ['not']);
          assert.deepEqual(await readdir(join(place.path, 'not')), ['yet']);
          assert.deepEqual(await findHidden(path), []);
        } finally {
          await place.remove();
        }
      },
    };
  },
});

test('files are for their owner only, and so are the directories above them', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(join(path, 'new', 'vault'));
    await put(vault, 'backups/one/events');
    for (const [below, mode] of [
      ['new', 0o700],
      ['new/vault', 0o700],
      ['new/vault/backups', 0o700],
      ['new/vault/backups/one', 0o700],
      ['new/vault/backups/one/events', 0o600],
    ] as const) {
      assert.equal((await lstat(join(path, below))).mode & 0o777, mode, below);
    }
  });
});

test('a relative path keeps its meaning when the process changes its directory', async () => {
  await withTemporaryDirectory(async (path) => {
    const before = process.cwd();
    process.chdir(path);
    try {
      const vault = await openVault('./vault');
      process.chdir(before);
      await put(vault, 'object');
      assert.equal(vault.address, `file:${path}/vault`);
      assert.deepEqual(await readdir(join(path, 'vault')), ['object']);
    } finally {
      process.chdir(before);
    }
  });
});

test('opening without leave to create says that the directory is missing, and creates nothing', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = openDirectoryVault(join(path, 'missing'));
    const error = await failure(vault.open({ create: false }));
    assert.equal(error.code, 'vault_unreachable');
    assert.match(error.hint ?? '', /mounted/);
    assert.deepEqual(await readdir(path), []);
  });
});

test('a path that is a file, or leads through one, is refused and the file stays', async () => {
  await withTemporaryDirectory(async (path) => {
    await writeFile(join(path, 'file'), 'precious');
    for (const at of ['file', 'file/below']) {
      for (const create of [true, false]) {
        const error = await failure(openDirectoryVault(join(path, at)).open({ create }));
        assert.equal(error.code, 'vault_refused', `${at}, create ${create}`);
      }
    }
    assert.equal(await readFile(join(path, 'file'), 'utf8'), 'precious');
  });
});

test('what cannot be a path is refused before anything happens', () => {
  for (const path of ['', 'a\0b']) {
    assert.throws(
      () => openDirectoryVault(path),
      (error) => isBackupError(error, 'config_invalid'),
    );
  }
});

test('a vault that is not open, or was closed, does nothing', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = openDirectoryVault(path);
    assert.equal((await failure(vault.createObject('a'))).code, 'internal');
    await vault.open({ create: true });
    await vault.close();
    assert.equal((await failure(vault.createObject('a'))).code, 'internal');
    assert.deepEqual(await readdir(path), []);
  });
});

test('a writer buffers at most a little: the file grows while it is written', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    const writer = await vault.createObject('object');
    for (let i = 0; i < 1000; i += 1) await writer.write(new Uint8Array(1000));
    const [file] = await readdir(path);
    const { size } = await lstat(join(path, file!));
    assert.ok(size >= 1_000_000 - 256 * 1024, `${size} bytes are in the file`);
    await writer.abort();
  });
});

test('writes that overlap are kept in order, and an abort waits for them', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    const writer = await vault.createObject('object');
    const pieces = Array.from({ length: 8 }, (_, i) => new Uint8Array(400_000).fill(i));
    await Promise.all([...pieces.map((piece) => writer.write(piece)), writer.commit()]);
    for (const [i, piece] of pieces.entries()) {
      assert.deepEqual(await vault.readRange('object', i * piece.length, piece.length), piece);
    }
    const other = await vault.createObject('other');
    await Promise.all([other.write(pieces[0]!), other.abort()]);
    assert.deepEqual(await readdir(path), ['object']);
  });
});

test('a symbolic link that leads out of the vault is not followed, for writing or reading', async () => {
  await withTemporaryDirectory(async (path) => {
    const outside = join(path, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'secret'), 'secret');
    const vault = await openVault(join(path, 'vault'));
    await put(vault, 'real/object');
    await symlink(outside, join(path, 'vault', 'linked'));
    await symlink(join(outside, 'secret'), join(path, 'vault', 'real', 'alias'));
    await symlink(join(outside, 'new'), join(path, 'vault', 'real', 'dangling'));

    assert.equal((await failure(vault.createObject('linked/x'))).code, 'vault_refused');
    assert.equal((await failure(vault.copyObject('real/alias', 'copy'))).code, 'vault_object_missing');
    assert.equal((await failure(vault.copyObject('real/object', 'linked/x'))).code, 'vault_refused');
    assert.equal((await failure(vault.createObject('linked/deeper/x'))).code, 'vault_refused');
    assert.equal((await failure(vault.createObject('real/alias'))).code, 'vault_object_exists');
    assert.equal((await failure(vault.createObject('real/dangling'))).code, 'vault_object_exists');
    await vault.removeObject('linked/secret');
    await vault.removeObject('real/alias');
    await vault.removeLeftovers('');
    assert.deepEqual(await names(vault), ['real/object']);
    assert.equal(await vault.stat('linked/secret'), null);
    assert.equal((await failure(vault.readRange('linked/secret', 0, 1))).code, 'vault_object_missing');
    assert.equal((await failure(vault.readRange('real/alias', 0, 1))).code, 'vault_object_missing');
    assert.deepEqual(await readdir(outside), ['secret']);
    assert.equal(await readFile(join(outside, 'secret'), 'utf8'), 'secret');
  });
});

test('a vault whose own path leads through a symbolic link works', async () => {
  await withTemporaryDirectory(async (path) => {
    await mkdir(join(path, 'disk'));
    await symlink(join(path, 'disk'), join(path, 'backups'));
    const vault = await openVault(join(path, 'backups'));
    await put(vault, 'object');
    assert.deepEqual(await readdir(join(path, 'disk')), ['object']);
  });
});

test('files that are no objects do not show and stay', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'backups/object');
    await writeFile(join(path, '.hidden'), '');
    await writeFile(join(path, 'with space'), '');
    await mkdir(join(path, '.git'));
    await writeFile(join(path, '.git', 'HEAD'), '');
    await mkdir(join(path, '1/2/3/4/5/6/7/8'), { recursive: true });
    await writeFile(join(path, '1/2/3/4/5/6/7/8/too-deep'), '');
    assert.deepEqual(await names(vault), ['backups/object']);
    assert.equal(await vault.removeLeftovers(''), 0);
    assert.deepEqual((await readdir(path)).sort(), ['.git', '.hidden', '1', 'backups', 'with space']);
  });
});

test('an object cannot have the name of a directory, nor lie below an object', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'a/b');
    assert.equal((await failure(vault.createObject('a'))).code, 'vault_refused');
    assert.equal((await failure(vault.createObject('a/b/c'))).code, 'vault_refused');
    assert.deepEqual(await names(vault), ['a/b']);
  });
});

test('removing the last object of a directory removes the directory, and the vault stays', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'backups/one/events');
    await put(vault, 'backups/two/events');
    await vault.removeObject('backups/one/events');
    assert.deepEqual(await readdir(join(path, 'backups')), ['two']);
    await vault.removeObject('backups/two/events');
    assert.deepEqual(await readdir(path), []);
  });
});

test('a writer finds its directory again when a remover that emptied it takes it away', async () => {
  await withTemporaryDirectory(async (path) => {
    const workers = ['a', 'b', 'c', 'd'].map(async (worker) => {
      const vault = await openVault(path);
      for (let i = 0; i < 60; i += 1) {
        await put(vault, `shared/deep/${worker}-${i}`);
        await vault.removeObject(`shared/deep/${worker}-${i}`);
        await vault.removeLeftovers('shared/');
      }
      await put(vault, `shared/deep/${worker}`);
    });
    await Promise.all(workers);
    assert.equal((await names(await openVault(path))).length, 4);
  });
});

test('an unmounted disk is noticed: the empty directory in its place is not taken for the vault', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = await openVault(join(path, 'disk'));
    await put(vault, 'backups/object');
    await rename(join(path, 'disk'), join(path, 'elsewhere'));
    const calls = [
      () => vault.createObject('new'),
      () => names(vault),
      () => vault.stat('backups/object'),
      () => vault.readRange('backups/object', 0, 1),
      () => vault.copyObject('backups/object', 'backups/copy'),
      () => vault.removeObject('backups/object'),
      () => vault.removeLeftovers(''),
    ];
    for (const call of calls) assert.equal((await failure(call())).code, 'vault_unreachable');
    assert.deepEqual(await readdir(path), ['elsewhere']);
    await mkdir(join(path, 'disk'));
    for (const call of calls) assert.equal((await failure(call())).code, 'vault_unreachable');
    assert.deepEqual(await readdir(join(path, 'disk')), []);
  });
});

test('a directory without the right to write opens for reading and refuses to be written', async () => {
  await asOrdinaryUser(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'backups/object');
    await chmod(join(path, 'backups'), 0o500);
    await chmod(path, 0o500);
    try {
      const reader = openDirectoryVault(path);
      await reader.open({ create: false });
      assert.deepEqual(await reader.readRange('backups/object', 0, 5), HELLO);
      const refused = await failure(reader.createObject('backups/other'));
      assert.equal(refused.code, 'vault_refused');
      assert.match(refused.message, /EACCES/);
      assert.equal(
        (await failure(reader.copyObject('backups/object', 'backups/copy'))).code,
        'vault_refused',
      );
      assert.equal((await failure(reader.removeObject('backups/object'))).code, 'vault_refused');
      assert.equal((await failure(openDirectoryVault(path).open({ create: true }))).code, 'vault_refused');
      assert.deepEqual(await names(reader), ['backups/object']);
    } finally {
      await chmod(path, 0o700);
      await chmod(join(path, 'backups'), 0o700);
    }
  });
});

test('a directory or file without the right to read is refused, not taken for empty', async () => {
  await asOrdinaryUser(async (path) => {
    const vault = await openVault(path);
    await put(vault, 'backups/object');
    await chmod(join(path, 'backups/object'), 0);
    assert.equal((await failure(vault.readRange('backups/object', 0, 1))).code, 'vault_refused');
    await chmod(join(path, 'backups'), 0);
    assert.equal((await failure(names(vault))).code, 'vault_refused');
    assert.equal((await failure(vault.stat('backups/object'))).code, 'vault_refused');
    await chmod(join(path, 'backups'), 0o700);
  });
});

/** Root may write anywhere, so as root the body runs with the rights of `nobody`. */
async function asOrdinaryUser(body: (path: string) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (path) => {
    await chmod(path, 0o777);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      await mkdir(join(path, 'vault'));
      await body(join(path, 'vault'));
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
}

async function openVault(path: string): Promise<Vault> {
  const vault = openDirectoryVault(path);
  await vault.open({ create: true });
  return vault;
}

async function put(vault: Vault, name: string): Promise<void> {
  const writer = await vault.createObject(name);
  await writer.write(HELLO);
  await writer.commit();
}

async function names(vault: Vault): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of vault.list('')) found.push(name);
  return found;
}

async function failure(promise: Promise<unknown>) {
  const outcome = await promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
  assert.ok(isBackupError(outcome), `expected a failure, but: ${String(outcome)}`);
  return outcome;
}

async function findHidden(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true });
  return entries.filter((entry) => entry.split('/').some((part) => part.startsWith('.')));
}
