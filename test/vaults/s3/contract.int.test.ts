import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { assertSameBytes, names, noise, put } from '../../../src/testing/vault/fixture.ts';
import { vaultContract } from '../../../src/testing/vault-contract.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { startRgw, type TestRgw, whyNoRgw } from '../../harness/ceph-rgw.ts';
import { digestAt, fillStore, makeFolder, runCommand } from '../../harness/command.ts';
import { clientOf } from './servers.ts';

describe('on a real server', { skip: whyNoRgw() }, () => {
  let rgw: TestRgw;
  before(async () => {
    rgw = await startRgw();
  });
  after(() => rgw.stop());

  // It writes over what is there at the end of an upload, and where versions are kept always.
  vaultContract({
    name: 's3 on Ceph RGW, locked',
    setup: async () => {
      const bucket = `b${randomBytes(6).toString('hex')}`;
      await rgw.createBucket(bucket, { lock: true });
      const place = `s3://${bucket}/vaults/one?endpoint=${rgw.endpoint}&forcePathStyle=true`;
      const open = async () => {
        const vault = openS3Vault(`${place}&lock=governance&lockDays=1`, { credentials: rgw });
        await vault.open({ create: true });
        return vault;
      };
      return { vault: await open(), reopen: open, dispose: async () => {} };
    },
  });

  it('gives back what was written over and deleted in a locked bucket', async () => {
    await rgw.createBucket('locked', { lock: true });
    const place = `s3://locked/shop?endpoint=${rgw.endpoint}&forcePathStyle=true`;
    const vault = openS3Vault(`${place}&lock=compliance&lockDays=1`, { credentials: rgw });
    await vault.open({ create: true });
    const contents = [noise(1000), noise(9_000_000)];
    for (const [i, bytes] of contents.entries()) await put(vault, `backups/${i}`, bytes);
    const client = clientOf(rgw);
    for (const i of contents.keys()) {
      const key = { Bucket: 'locked', Key: `shop/backups/${i}` };
      const { VersionId } = await client.headObject(key);
      await client.putObject({ ...key, Body: 'ransom' });
      await client.deleteObject(key);
      await assert.rejects(client.deleteObject({ ...key, VersionId: VersionId! }), { name: 'AccessDenied' });
    }
    client.destroy();
    assert.deepEqual(await names(vault, ''), []);
    const first = openS3Vault(`${place}&versions=first`, { credentials: rgw });
    await first.open({ create: false });
    assert.deepEqual(await names(first, ''), ['backups/0', 'backups/1']);
    for (const [i, bytes] of contents.entries()) {
      assertSameBytes(await first.readRange(`backups/${i}`, 0, bytes.length), bytes);
    }
    await Promise.all([vault.close(), first.close()]);
  });

  it('takes a backup by the command, with threads, and gives it back', async (t) => {
    const { path: folder, remove } = await makeFolder();
    t.after(remove);
    await rgw.createBucket('backups');
    const vault = `s3://backups/shop?endpoint=${rgw.endpoint}&forcePathStyle=true`;
    const env = { AWS_ACCESS_KEY_ID: rgw.accessKeyId, AWS_SECRET_ACCESS_KEY: rgw.secretAccessKey };
    const eventcore = (...words: string[]) => runCommand(folder, [...words, '--vault', vault], { env });
    const digest = await fillStore(`sqlite:${folder}/events.db`, 20_000);
    for (const words of [
      ['backup', 'full', '--store', 'sqlite:events.db', '--parallel', '2'],
      ['verify'],
      ['restore', '--to', 'sqlite:restored.db'],
    ]) {
      const ran = await eventcore(...words);
      assert.deepEqual([ran.code, ran.stderr], [0, ''], words.join(' '));
    }
    assert.equal(await digestAt(`sqlite:${folder}/restored.db`), digest);
    // The server refuses what is signed more than a quarter of an hour off its own clock.
    const skewed = {
      ...env,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(AN_HOUR_BEHIND)}`,
    };
    const late = ['backup', 'full', '--json', '--store', 'sqlite:events.db', '--vault', vault];
    const ran = await runCommand(folder, late, { env: skewed });
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    const { createdAt } = JSON.parse(ran.stdout) as { createdAt: string };
    assert.ok(Date.parse(createdAt) < Date.now() - 3_000_000, 'its clock was right');
  });
});

const AN_HOUR_BEHIND = 'const now = Date.now; Date.now = () => now() - 3_600_000;';
