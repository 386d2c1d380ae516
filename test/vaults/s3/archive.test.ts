import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertSameBytes, collect, noise, put, rejects } from '../../../src/testing/vault/fixture.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { addressOf, SHORT, startVault } from './servers.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

describe('an archived object', () => {
  for (const [query, usuallyMs] of [
    ['storageClass=GLACIER', 5 * HOUR_MS],
    ['storageClass=DEEP_ARCHIVE', 12 * HOUR_MS],
  ] as const) {
    it(`of ${query} is recalled, waited for, read, and archived again`, async (t) => {
      const server = { restoreMs: 4 * HOUR_MS };
      const started = await startVault({ query: `${query}&recallDays=2`, server, limits: SHORT });
      t.after(started.dispose);
      const { vault } = started;
      await put(vault, 'middle', noise(140_000));
      await put(vault, 'large', noise(200_000));
      for (const name of ['middle', 'large']) {
        assert.equal((await vault.stat(name))?.isArchived, true);
        await rejects(vault.readRange(name, 0, 1000), 'object_archived');
        await rejects(vault.copyObject(name, 'copy'), 'object_archived');
        assert.deepEqual(await vault.recall(name), { state: 'asked', usuallyMs });
        assert.deepEqual(await vault.recall(name), { state: 'under_way', usuallyMs });
        await rejects(vault.readRange(name, 0, 1000), 'object_archived');
      }
      assert.ok((await collect(vault, '')).every(({ isArchived }) => isArchived === true));
      started.server.passTime(5 * HOUR_MS);
      for (const name of ['middle', 'large']) {
        assert.deepEqual(await vault.recall(name), { state: 'readable' });
        assert.equal((await vault.stat(name))?.isArchived, undefined);
      }
      assertSameBytes(await vault.readRange('middle', 0, 140_000), noise(140_000));
      assertSameBytes(await vault.readRange('large', 0, 200_000), noise(200_000));
      started.server.passTime(3 * DAY_MS);
      await rejects(vault.readRange('middle', 0, 1000), 'object_archived');
      assert.equal((await vault.stat('middle'))?.isArchived, true);
    });
  }

  it('is never a small one: manifests, leases and holds are read at once', async (t) => {
    const { vault, dispose } = await startVault({ query: 'storageClass=GLACIER' });
    t.after(dispose);
    await put(vault, 'manifest.json', noise(128 << 10));
    assert.equal((await vault.stat('manifest.json'))?.isArchived, undefined);
    assertSameBytes(await vault.readRange('manifest.json', 0, 128 << 10), noise(128 << 10));
    await put(vault, 'events', noise((128 << 10) + 1));
    await rejects(vault.readRange('events', 0, 1), 'object_archived');
  });

  it('is none where the class can be read at once', async (t) => {
    const { vault, dispose } = await startVault({ query: 'storageClass=GLACIER_IR' });
    t.after(dispose);
    await put(vault, 'object', noise(10));
    assert.equal((await vault.stat('object'))?.isArchived, undefined);
    assert.deepEqual(await vault.recall('object'), { state: 'readable' });
  });

  it('is written to by glacier: as by s3: with its class', async (t) => {
    const { server, bucket, client, root, dispose } = await startVault();
    t.after(dispose);
    const vault = openS3Vault(addressOf(server, bucket).replace('s3:', 'glacier:'), { credentials: server });
    await vault.open({ create: false });
    await put(vault, 'object', noise(140_000));
    const { StorageClass } = await client.headObject({ Bucket: bucket, Key: `${root}object` });
    assert.equal(StorageClass, 'GLACIER');
  });
});
