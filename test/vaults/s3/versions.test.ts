import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { assertSameBytes, collect, names, put, rejects, text } from '../../../src/testing/vault/fixture.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { addressOf, startVault } from './servers.ts';

/** Times of versions are told in whole seconds. */
const NEXT_SECOND_MS = 1100;

describe('a view of earlier versions', () => {
  it('shows what was written over and what was deleted as it was at first', async (t) => {
    const { vault, client, bucket, root, view, dispose } = await startVault({ bucket: { versioning: true } });
    t.after(dispose);
    for (const name of ['a/kept', 'a/kept.2', 'a/lost', 'a/ruined'])
      await put(vault, name, text(`true ${name}`));
    await client.putObject({ Bucket: bucket, Key: `${root}a/ruined`, Body: 'ransom' });
    await client.putObject({ Bucket: bucket, Key: `${root}a/ruined`, Body: 'ransom, twice' });
    await client.putObject({ Bucket: bucket, Key: `${root}a/new`, Body: 'note' });
    for (const name of ['a/lost', 'a/ruined'])
      await client.deleteObject({ Bucket: bucket, Key: root + name });
    assert.deepEqual(await names(vault, ''), ['a/kept', 'a/kept.2', 'a/new']);

    const first = await view('versions=first');
    assert.deepEqual(await names(first, 'a/'), ['a/kept', 'a/kept.2', 'a/lost', 'a/new', 'a/ruined']);
    assert.deepEqual(await names(first, 'a/kept.'), ['a/kept.2']);
    for (const name of ['a/kept', 'a/kept.2', 'a/lost', 'a/ruined']) {
      const bytes = text(`true ${name}`);
      assert.equal((await first.stat(name))?.sizeBytes, bytes.length);
      assertSameBytes(await first.readRange(name, 0, bytes.length), bytes);
      assertSameBytes(await first.readRange(name, 2, 3), bytes.subarray(2, 5));
      await rejects(first.readRange(name, 0, bytes.length + 1), 'damaged');
      assert.deepEqual(await first.recall(name), { state: 'readable' });
    }
    assert.equal(await first.stat('a/k'), null);
    await rejects(first.readRange('a/k', 0, 0), 'vault_object_missing');
    await rejects(first.stat('../out'), 'vault_refused');
  });

  it('shows the vault as it was at an instant', async (t) => {
    const { vault, client, bucket, root, view, dispose } = await startVault({ bucket: { versioning: true } });
    t.after(dispose);
    await put(vault, 'removed', text('removed'));
    await vault.removeObject('removed');
    await put(vault, 'there', text('true'));
    await delay(NEXT_SECOND_MS);
    const asOf = new Date().toISOString();
    await delay(NEXT_SECOND_MS);
    await client.putObject({ Bucket: bucket, Key: `${root}there`, Body: 'ruin' });
    await put(vault, 'later', text('later'));
    const then = await view(`asOf=${asOf}`);
    assert.deepEqual(await names(then, ''), ['there']);
    assertSameBytes(await then.readRange('there', 0, 4), text('true'));
    assert.equal(await then.stat('later'), null);
  });

  it('goes on from page to page, also within the versions of one name', async (t) => {
    const { vault, client, bucket, root, view, dispose } = await startVault({ bucket: { versioning: true } });
    t.after(dispose);
    const wanted = Array.from({ length: 9 }, (_, i) => `n${i}`);
    for (const name of wanted) {
      await put(vault, name, text(name));
      for (let i = 0; i < 3; i += 1) await client.putObject({ Bucket: bucket, Key: root + name, Body: 'x' });
      await vault.removeObject(name);
    }
    for (const pageNames of [1, 2, 7]) {
      const first = await view('versions=first', { pageNames });
      const seen = await collect(first, '');
      assert.deepEqual(
        seen.map(({ name }) => name),
        wanted,
      );
      assert.ok(seen.every(({ sizeBytes }) => sizeBytes === 2));
    }
  });

  it('can be copied from, and never written', async (t) => {
    const { vault, client, bucket, server, root, view, dispose } = await startVault({
      bucket: { versioning: true },
    });
    t.after(dispose);
    await put(vault, 'a/ruined', text('true'));
    await client.putObject({ Bucket: bucket, Key: `${root}a/ruined`, Body: 'ransom' });
    const first = await view('versions=first');
    for (const write of [
      first.createObject('new'),
      first.copyObject('a/ruined', 'new'),
      first.removeObject('a/ruined'),
      first.removeLeftovers(''),
      first.copyFrom(vault, 'a/ruined'),
      first.setLegalHold('a/ruined', true),
    ]) {
      await rejects(write, 'vault_refused');
    }
    assert.equal((await first.traits()).keepsVersions, true);
    const elsewhere = await startVault();
    t.after(elsewhere.dispose);
    assert.equal(await elsewhere.vault.copyFrom(first, 'a/ruined'), false, 'another server');
    server.createBucket('safe-place');
    const safe = openS3Vault(addressOf(server, 'safe-place'), { credentials: server });
    await safe.open({ create: false });
    assert.equal(await safe.copyFrom(first, 'a/ruined'), true);
    assertSameBytes(await safe.readRange('a/ruined', 0, 4), text('true'));
  });
});
