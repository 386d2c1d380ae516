import assert from 'node:assert/strict';
import { link, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import { publishFile } from '../../../src/vaults/fs/publish.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

/** What link(2) answers on a filesystem that has no hard links. */
const noHardLinks = async () => {
  throw Object.assign(new Error('operation not permitted'), { code: 'EPERM', errno: -1 });
};

test('without hard links a file is published all the same', async () => {
  await withTemporaryDirectory(async (path) => {
    const temporary = await write(path, '.tmp-a', 'content');
    await publishFile(temporary, join(path, 'object'), noHardLinks);
    assert.deepEqual(await readdir(path), ['object']);
    assert.equal(await readFile(join(path, 'object'), 'utf8'), 'content');
  });
});

test('without hard links a name that is taken is refused and nothing changes', async () => {
  await withTemporaryDirectory(async (path) => {
    await write(path, 'object', 'first');
    const temporary = await write(path, '.tmp-a', 'second');
    await assert.rejects(publishFile(temporary, join(path, 'object'), noHardLinks), isExists);
    assert.equal(await readFile(join(path, 'object'), 'utf8'), 'first');
    assert.deepEqual((await readdir(path)).sort(), ['.tmp-a', 'object']);
  });
});

test('without hard links exactly one of many writers publishes', async () => {
  await withTemporaryDirectory(async (path) => {
    for (let round = 0; round < 50; round += 1) {
      const object = join(path, `object-${round}`);
      const writers = Array.from({ length: 8 }, (_, i) => `.tmp-${round}-${i}`);
      const files = await Promise.all(writers.map((name) => write(path, name, name)));
      const results = await Promise.allSettled(files.map((file) => publishFile(file, object, noHardLinks)));
      const winners = writers.filter((_, i) => results[i]!.status === 'fulfilled');
      assert.equal(winners.length, 1);
      assert.equal(await readFile(object, 'utf8'), winners[0]);
      for (const result of results) assert.ok(result.status === 'fulfilled' || isExists(result.reason));
    }
    assert.deepEqual(
      (await readdir(path)).filter((name) => name.startsWith('.claim')),
      [],
    );
  });
});

test('a claim that a killed writer left keeps others from the name', async () => {
  await withTemporaryDirectory(async (path) => {
    await write(path, '.claim-object', '');
    const temporary = await write(path, '.tmp-a', 'content');
    await assert.rejects(publishFile(temporary, join(path, 'object'), noHardLinks), isExists);
    assert.deepEqual((await readdir(path)).sort(), ['.claim-object', '.tmp-a']);
  });
});

test('a link that was made although the answer says EEXIST counts as made', async () => {
  await withTemporaryDirectory(async (path) => {
    const temporary = await write(path, '.tmp-a', 'content');
    const linkTwice = async (from: string | URL | Buffer, to: string | URL | Buffer) => {
      await link(from, to);
      await link(from, to);
    };
    await publishFile(temporary, join(path, 'object'), linkTwice as typeof link);
    assert.equal(await readFile(join(path, 'object'), 'utf8'), 'content');
  });
});

function isExists(error: unknown): boolean {
  return isBackupError(error, 'vault_object_exists');
}

async function write(path: string, name: string, content: string): Promise<string> {
  const at = join(path, name);
  await writeFile(at, content);
  return at;
}
