import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertSameBytes, names, noise, put, rejects, text } from '../../../src/testing/vault/fixture.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { addressOf, SHORT, startVault } from './servers.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const SMALL = noise(1000);
const LARGE = noise(200_000);

describe('a locked vault', () => {
  for (const mode of ['governance', 'compliance'] as const) {
    it(`locks each object (${mode}), for the days that its address says`, async (t) => {
      const query = `lock=${mode}&lockDays=30`;
      const { vault, client, bucket, root, dispose } = await startVault({
        bucket: { lock: true },
        query,
        limits: SHORT,
      });
      t.after(dispose);
      await put(vault, 'small', SMALL);
      await put(vault, 'large', LARGE);
      await vault.copyObject('small', 'copy');
      for (const name of ['small', 'large', 'copy']) {
        const Key = root + name;
        const head = await client.headObject({ Bucket: bucket, Key });
        assert.equal(head.ObjectLockMode, mode.toUpperCase());
        const days = (head.ObjectLockRetainUntilDate!.getTime() - Date.now()) / DAY_MS;
        assert.ok(days > 29.9 && days < 30.1, `${days} days`);
        await assert.rejects(client.deleteObject({ Bucket: bucket, Key, VersionId: head.VersionId! }));
      }
      assert.deepEqual(await vault.traits(), {
        ...{ lock: { mode, days: 30 }, keepsVersions: true, createOnly: 'exact' },
      });
    });
  }

  it('is told by its bucket as well', async (t) => {
    const lock = { mode: 'COMPLIANCE', days: 7 } as const;
    const { vault, dispose } = await startVault({ bucket: { lock }, limits: SHORT });
    t.after(dispose);
    await put(vault, 'small', SMALL);
    await put(vault, 'large', LARGE);
    assert.deepEqual((await vault.traits()).lock, { mode: 'compliance', days: 7 });
  });

  it('is not told where that may not be asked, and is written all the same', async (t) => {
    const { server, bucket, dispose } = await startVault({ bucket: { lock: true } });
    t.after(dispose);
    const denied = ['GetBucketObjectLockConfiguration', 'GetBucketVersioning'];
    const vault = openS3Vault(addressOf(server, bucket), { credentials: server.addUser({ denied }) });
    await vault.open({ create: true });
    await put(vault, 'small', SMALL);
    assert.deepEqual(await vault.traits(), { lock: null, keepsVersions: false, createOnly: 'exact' });
    await vault.close();
  });

  it('keeps what is removed: a view of the first versions still reads it', async (t) => {
    const query = 'lock=governance&lockDays=1';
    const { vault, view, dispose } = await startVault({ bucket: { lock: true }, query, limits: SHORT });
    t.after(dispose);
    await put(vault, 'object', SMALL);
    await vault.removeObject('object');
    assert.deepEqual(await names(vault, ''), []);
    const first = await view('versions=first');
    assertSameBytes(await first.readRange('object', 0, SMALL.length), SMALL);
  });

  it('in a bucket that has no locks refuses to write, and says why', async (t) => {
    const { vault, server, bucket, dispose } = await startVault({
      query: 'lock=governance&lockDays=1',
      limits: SHORT,
    });
    t.after(dispose);
    for (const bytes of [SMALL, LARGE]) await rejects(put(vault, 'object', bytes), 'vault_refused');
    assert.deepEqual(await names(vault, ''), []);
    assert.equal(server.openUploads(bucket), 0);
  });

  it('holds an object until the hold is taken off', async (t) => {
    const { vault, client, bucket, root, dispose } = await startVault({ bucket: { lock: true } });
    t.after(dispose);
    await put(vault, 'object', text('held'));
    const { versionId } = (await vault.stat('object'))!;
    const removal = { Bucket: bucket, Key: `${root}object`, VersionId: versionId! };
    assert.equal(await vault.setLegalHold('object', true), true);
    await assert.rejects(client.deleteObject(removal));
    assert.equal(await vault.setLegalHold('object', false), true);
    await client.deleteObject(removal);
    assert.equal(await vault.stat('object'), null);
  });
});
