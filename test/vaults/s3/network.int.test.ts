import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { assertSameBytes, names, noise, put, rejects } from '../../../src/testing/vault/fixture.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { startRgw, type TestRgw, whyNoRgw } from '../../harness/ceph-rgw.ts';
import { type Cut, type CuttingProxy, startCuttingProxy } from '../../harness/cutting-proxy.ts';
import { clientOf } from './servers.ts';

const MIB = 1 << 20;
/** Two parts. */
const LARGE = noise(9 * MIB);
const SMALL = noise(100_000);
const LIMITS = { pauseMs: 5, silenceMs: 3000 };

const CUTS: readonly Cut[] = [{ afterSent: 50_000 }, { afterReceived: 100 }, 'lose-answer', 'busy', 'broken'];

describe('between this machine and a real server', { skip: whyNoRgw() }, () => {
  let rgw: TestRgw;
  let proxy: CuttingProxy;

  before(async () => {
    rgw = await startRgw();
    proxy = await startCuttingProxy(rgw.endpoint);
  });
  after(async () => {
    await proxy.stop();
    await rgw.stop();
  });

  const addressOf = (bucket: string): string =>
    `s3://${bucket}/one?endpoint=${proxy.endpoint}&forcePathStyle=true`;

  async function withVault(
    bucket: string,
    lock: boolean,
    work: (vault: Vault) => Promise<void>,
  ): Promise<void> {
    await rgw.createBucket(bucket, { lock });
    const more = lock ? '&lock=governance&lockDays=1' : '';
    const vault = openS3Vault(`${addressOf(bucket)}${more}`, { credentials: rgw, limits: LIMITS });
    proxy.begin(() => null);
    await vault.open({ create: true });
    await put(vault, 'before', SMALL);
    try {
      await work(vault);
    } finally {
      proxy.begin(() => null);
      await vault.close();
    }
  }

  for (const lock of [false, true]) {
    it(`connections end in the middle of everything, and ${lock ? 'locked' : 'all'} objects are whole`, async () => {
      await withVault(`cut-${lock}`, lock, async (vault) => {
        for (const [i, cut] of CUTS.entries()) {
          const cutsBefore = proxy.cuts;
          // Those that are open end as well: a client finds that out when it uses them.
          const storm = () => proxy.begin((n) => (n <= 2 ? cut : null));
          storm();
          await put(vault, `large-${i}`, LARGE);
          storm();
          await put(vault, `small-${i}`, SMALL);
          storm();
          await vault.copyObject('before', `copy-${i}`);
          storm();
          assertSameBytes(await vault.readRange(`large-${i}`, 0, LARGE.length), LARGE);
          storm();
          assert.equal((await names(vault, '')).length, 3 * i + 4);
          await rejects(put(vault, `small-${i}`, noise(10)), 'vault_object_exists');
          assert.ok(proxy.cuts - cutsBefore >= 4, `${JSON.stringify(cut)}: ${proxy.cuts - cutsBefore} cuts`);
        }
      });
    });
  }

  it('credentials that are wrong, unknown or without rights, and a bucket that is not there, are refused at once', async () => {
    await rgw.createBucket('mine');
    const nobody = await rgw.addUser([]);
    for (const [bucket, credentials] of [
      ['mine', { ...rgw, secretAccessKey: 'wrong' }],
      ['mine', { ...rgw, accessKeyId: 'UNKNOWN' }],
      ['mine', nobody],
      ['nowhere', rgw],
    ] as const) {
      const vault = openS3Vault(addressOf(bucket), { credentials, limits: LIMITS });
      const beganAt = performance.now();
      await rejects(
        vault.open({ create: true }).then(() => put(vault, 'object', SMALL)),
        'vault_refused',
      );
      assert.ok(performance.now() - beganAt < 5000);
      await vault.close();
    }
  });

  it('credentials that end while an object is written leave none', async () => {
    await withVault('ends', false, async (owner) => {
      const user = await rgw.addUser(['ends']);
      const vault = openS3Vault(addressOf('ends'), { credentials: user, limits: LIMITS });
      await vault.open({ create: true });
      const writer = await vault.createObject('large');
      await writer.write(LARGE);
      await rgw.revoke(user);
      await rejects(writer.commit(), 'vault_refused');
      await vault.close();
      assert.deepEqual(await names(owner, ''), ['before']);
    });
  });

  it('a bucket that goes while an object is written takes it with it, and says so', async () => {
    await withVault('goes', false, async (vault) => {
      const writer = await vault.createObject('large');
      await writer.write(LARGE);
      const client = clientOf(rgw);
      const { Contents = [] } = await client.listObjectsV2({ Bucket: 'goes' });
      for (const { Key } of Contents) await client.deleteObject({ Bucket: 'goes', Key: Key! });
      const { Uploads = [] } = await client.listMultipartUploads({ Bucket: 'goes' });
      for (const { Key, UploadId } of Uploads)
        await client.abortMultipartUpload({ Bucket: 'goes', Key: Key!, UploadId: UploadId! });
      await client.deleteBucket({ Bucket: 'goes' });
      client.destroy();
      // What it meets first, the upload that is gone or the bucket, is a matter of time.
      await assert.rejects(writer.commit(), (error) =>
        isBackupError(error, 'vault_refused', 'vault_unreachable'),
      );
      await rejects(put(vault, 'small', SMALL), 'vault_refused');
    });
  });

  it('where no connection lasts, a write ends with nothing to be seen of it', async () => {
    await withVault('never', false, async (vault) => {
      proxy.begin(() => ({ afterSent: MIB }));
      await rejects(put(vault, 'large', LARGE), 'vault_unreachable');
      proxy.begin(() => null);
      assert.deepEqual(await names(vault, ''), ['before']);
      await put(vault, 'large', LARGE);
      assertSameBytes(await vault.readRange('large', 0, LARGE.length), LARGE);
    });
  });
});
