import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import {
  assertSameBytes,
  collect,
  names,
  noise,
  put,
  rejects,
  text,
} from '../../../src/testing/vault/fixture.ts';
import { parseS3Address } from '../../../src/vaults/s3/address.ts';
import { connect } from '../../../src/vaults/s3/connection.ts';
import { DEFAULT_LIMITS } from '../../../src/vaults/s3/options.ts';
import { MAX_PARTS, partSizeOf } from '../../../src/vaults/s3/part-size.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { addressOf, SHORT, startVault } from './servers.ts';

const MIB = 1 << 20;

describe('the parts of an upload', () => {
  it('are small at first, never too small or too large, and suffice for the largest object', () => {
    let allBytes = 0;
    for (let number = 1; number <= MAX_PARTS; number += 1) {
      const sizeBytes = partSizeOf(number);
      assert.ok(
        sizeBytes >= 5 * MIB &&
          sizeBytes <= 5 * 1024 * MIB &&
          sizeBytes >= partSizeOf(Math.max(1, number - 1)),
      );
      allBytes += sizeBytes;
    }
    assert.ok(allBytes >= 5 * 2 ** 40, `${allBytes} bytes`);
    assert.equal(partSizeOf(1), 8 * MIB);
    assert.equal(partSizeOf(1000), 8 * MIB);
  });

  for (const [sizeBytes, requests] of [
    [8 * MIB, { PutObject: 1, UploadPart: 0 }],
    [8 * MIB + 1, { PutObject: 0, UploadPart: 2 }],
    [16 * MIB, { PutObject: 0, UploadPart: 2 }],
  ] as const) {
    it(`of ${sizeBytes} bytes are as few as they can be`, async (t) => {
      const { vault, server, dispose } = await startVault();
      t.after(dispose);
      await put(vault, 'first', text('after it the abilities are known'));
      server.log.clear();
      await put(vault, 'object', noise(sizeBytes));
      for (const [operation, count] of Object.entries(requests)) {
        assert.equal(server.log.count(operation as 'PutObject'), count);
      }
      assertSameBytes(await vault.readRange('object', 0, sizeBytes), noise(sizeBytes));
    });
  }

  it('carry their SHA-256, which the server keeps', async (t) => {
    const { vault, client, bucket, root, dispose } = await startVault();
    t.after(dispose);
    for (const [name, sizeBytes] of [
      ['small', 1000],
      ['large', 9 * MIB],
    ] as const) {
      await put(vault, name, noise(sizeBytes));
      const head = await client.headObject({ Bucket: bucket, Key: root + name, ChecksumMode: 'ENABLED' });
      assert.match(head.ChecksumSHA256 ?? '', /^[A-Za-z0-9+/]{43}=/);
    }
  });
});

describe('a vault in a bucket', () => {
  it('says how to install its client where that is missing', async () => {
    const load = async () => {
      throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    };
    const settings = { limits: DEFAULT_LIMITS, closed: new AbortController().signal };
    await assert.rejects(
      connect(parseS3Address('s3://bucket'), settings, undefined, load),
      (error) =>
        isBackupError(error, 'config_invalid') && /npm install @aws-sdk\/client-s3/.test(error.hint ?? ''),
    );
  });

  it('costs one request to open, and one for each small object once it knows the server', async (t) => {
    const { server, bucket, reopen, vault, dispose } = await startVault();
    t.after(dispose);
    await put(vault, 'first', text('first'));
    server.log.clear();
    const other = await reopen();
    assert.equal(server.log.count(), 1);
    await put(other, 'second', text('second'));
    server.log.clear();
    await put(other, 'third', text('third'));
    assert.equal(server.log.count(), 1);
    assert.equal(server.openUploads(bucket), 0);
  });

  it('lists page by page, and shows neither claims nor what others put there', async (t) => {
    const { vault, view, client, bucket, root, dispose } = await startVault();
    t.after(dispose);
    const wanted = Array.from({ length: 23 }, (_, i) => `n/${String(i).padStart(2, '0')}`);
    for (const name of wanted) await put(vault, name, text(name));
    for (const key of ['n/ü', 'n/a b', 'n/-', '.eventcore/claims/x', 'n//x', 'n/\u0001']) {
      await client.putObject({ Bucket: bucket, Key: root + key, Body: 'x' });
    }
    await client.putObject({ Bucket: bucket, Key: 'elsewhere', Body: 'x' });
    for (const pageNames of [1, 5, 23, 1000])
      assert.deepEqual(await names(await view('', { pageNames }), ''), wanted);
  });

  it('writes as its address says', async (t) => {
    const query = 'storageClass=STANDARD_IA&sse=aws:kms&sseKmsKeyId=key-1';
    const { vault, client, bucket, root, dispose } = await startVault({ query });
    t.after(dispose);
    await put(vault, 'small', noise(10));
    await put(vault, 'large', noise(9 * MIB));
    await vault.copyObject('small', 'copy');
    for (const name of ['small', 'large', 'copy']) {
      const head = await client.headObject({ Bucket: bucket, Key: root + name });
      assert.equal(head.StorageClass, 'STANDARD_IA');
      assert.equal(head.ServerSideEncryption, 'aws:kms');
      assert.equal(head.SSEKMSKeyId, 'key-1');
    }
  });

  it('has objects of another bucket of the same server without their bytes', async (t) => {
    const { vault, server, dispose } = await startVault({ limits: { copyPartBytes: 6 * MIB } });
    t.after(dispose);
    server.createBucket('replica');
    const limits = { copyPartBytes: 6 * MIB };
    const replica = openS3Vault(addressOf(server, 'replica'), { credentials: server, limits });
    await replica.open({ create: false });
    await put(vault, 'a/large', noise(15 * MIB));
    await put(vault, 'a/none', new Uint8Array(0));
    server.log.clear();
    for (const name of ['a/large', 'a/none']) assert.equal(await replica.copyFrom(vault, name), true);
    assert.equal(server.log.count('GetObject'), 0);
    assert.equal(server.log.count('UploadPartCopy'), 3);
    assertSameBytes(await replica.readRange('a/large', 0, 15 * MIB), noise(15 * MIB));
    assert.equal((await replica.stat('a/none'))?.sizeBytes, 0);
    await rejects(replica.copyFrom(vault, 'a/large'), 'vault_object_exists');
    await rejects(replica.copyFrom(vault, 'a/nowhere'), 'vault_object_missing');
  });

  it('says no to a copy from where it may not read', async (t) => {
    const { vault, server, dispose } = await startVault();
    t.after(dispose);
    server.createBucket('replica');
    const blind = server.addUser({ denied: ['GetObject'] });
    const replica = openS3Vault(addressOf(server, 'replica'), { credentials: blind });
    await replica.open({ create: false });
    await put(vault, 'object', noise(10));
    assert.equal(await replica.copyFrom(vault, 'object'), false);
    assert.equal(server.openUploads('replica'), 0);
  });
});

describe('the clean-up of leftovers', () => {
  it('ends the uploads that rest, and no others', async (t) => {
    const { vault, view, server, bucket, client, dispose } = await startVault();
    t.after(dispose);
    const writer = await vault.createObject('backups/x/events');
    await writer.write(noise(17 * MIB));
    for (const Key of ['vaults/one/backups/y/events', 'elsewhere']) {
      await client.createMultipartUpload({ Bucket: bucket, Key });
    }
    while (server.log.count('UploadPart') < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await vault.removeLeftovers(''), 0);
    const impatient = await view('', { abandonedMs: -5000 });
    assert.equal(await impatient.removeLeftovers('backups/y/'), 1);
    assert.equal(await impatient.removeLeftovers('backups/y/'), 0);
    assert.equal(server.openUploads(bucket), 2);
    await writer.commit();
    assert.deepEqual(await names(vault, ''), ['backups/x/events']);
    assert.equal(server.openUploads(bucket), 1);
  });
});

describe('a claim', () => {
  const ignores = ['if-none-match', 'if-none-match-on-complete'] as const;
  const claimOf = (root: string, name: string) =>
    `${root}.eventcore/claims/${name}~00000000-0000-4000-8000-000000000000`;

  it('of a living writer keeps others from the name; a dead one’s stops counting, and is removed later', async (t) => {
    const { vault, view, client, bucket, root, server, dispose } = await startVault({ server: { ignores } });
    t.after(dispose);
    assert.equal((await vault.traits()).createOnly, 'claims');
    await client.putObject({ Bucket: bucket, Key: claimOf(root, 'name'), Body: 'x' });
    await rejects(put(vault, 'name', text('mine')), 'vault_object_exists');
    await put(vault, 'name.2', text('of another name'));
    assert.equal(await vault.removeLeftovers(''), 0);
    assert.deepEqual(await names(vault, ''), ['name.2']);
    server.clockAheadMs = 20 * 60_000;
    const later = await view('');
    await put(later, 'name', text('mine'));
    assert.equal(await later.removeLeftovers('nam'), 0);
    const impatient = await view('', { abandonedMs: 10 * 60_000 });
    assert.equal(await impatient.removeLeftovers('other/'), 0);
    assert.equal(await impatient.removeLeftovers('nam'), 1);
    const { Contents } = await client.listObjectsV2({ Bucket: bucket, Prefix: `${root}.eventcore/claims/` });
    assert.equal(Contents, undefined, 'no claim outlives its writer’s commit');
  });

  it('is given back whatever answers are lost, and never by one whose write failed before', async (t) => {
    const { vault, server, client, bucket, root, dispose } = await startVault({
      ...{ server: { ignores }, limits: SHORT },
    });
    t.after(dispose);
    await put(vault, 'first', text('first'));
    for (const [name, bytes] of [
      ['small', noise(1000)],
      ['large', noise(200_000)],
    ] as const) {
      const lost = new Set(['PutObject', 'CompleteMultipartUpload', 'DeleteObject', 'ListObjectsV2']);
      server.fault = ({ operation }) => (lost.delete(operation) ? 'cut-after' : null);
      await put(vault, name, bytes);
      server.fault = ({ operation }) =>
        operation === (name === 'small' ? 'PutObject' : 'CompleteMultipartUpload')
          ? { status: 403, code: 'AccessDenied' }
          : null;
      await rejects(put(vault, `${name}.2`, bytes), 'vault_refused');
      server.fault = null;
      assertSameBytes(await vault.readRange(name, 0, bytes.length), bytes);
    }
    assert.deepEqual(await names(vault, ''), ['first', 'large', 'small']);
    const { Contents } = await client.listObjectsV2({ Bucket: bucket, Prefix: `${root}.eventcore/claims/` });
    assert.equal(Contents, undefined);
    assert.equal(server.openUploads(bucket), 0);
  });

  it('keeps many writers of different sizes apart', async (t) => {
    const { vault, reopen, dispose } = await startVault({ server: { ignores } });
    t.after(dispose);
    const writers = [vault, await reopen(), await reopen(), await reopen()];
    const contents = writers.map((_, i) => noise(i % 2 === 0 ? 1000 : 9 * MIB, i + 1));
    const outcomes = await Promise.allSettled(writers.map((writer, i) => put(writer, 'name', contents[i]!)));
    const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
    assert.equal(won.length, 1, String(won));
    const bytes = contents[won[0]!]!;
    assertSameBytes(await vault.readRange('name', 0, bytes.length), bytes);
    assert.equal((await collect(vault, ''))[0]?.sizeBytes, bytes.length);
  });
});
