import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { S3 } from '@aws-sdk/client-s3';
import { digestAt, fillStore, makeFolder, type Ran, runHere } from '../harness/command.ts';
import { type S3Server, startS3Server } from '../harness/s3-server/server.ts';

const CREDENTIALS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

describe('the command with a vault in a bucket', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let server: S3Server;
  let client: S3;
  let digest: string;
  let store: string;
  let vault: string;

  /** Credentials come from where every tool of Amazon looks for them. */
  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    server = await startS3Server();
    server.createBucket('backups', { versioning: true });
    process.env.AWS_ACCESS_KEY_ID = server.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = server.secretAccessKey;
    const { endpoint, region } = server;
    client = new S3({ endpoint, region, forcePathStyle: true });
    vault = `s3://backups/shop?endpoint=${endpoint}&forcePathStyle=true`;
    store = `sqlite:${join(folder, 'events.db')}`;
    digest = await fillStore(store, 2000);
  });
  after(async () => {
    for (const name of CREDENTIALS) delete process.env[name];
    client.destroy();
    await server.stop();
    await remove();
  });

  const eventcore = (...words: string[]): Promise<Ran> => runHere([...words, '--vault', vault]);
  const keysIn = async (bucket: string): Promise<string[]> =>
    ((await client.listObjectsV2({ Bucket: bucket })).Contents ?? []).map(({ Key }) => Key!);
  const target = (name: string): string => `sqlite:${join(folder, name)}`;

  it('backs up, verifies, restores, and takes a second backup', async () => {
    const ran = await eventcore('backup', 'full', '--store', store, '--json');
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.equal(JSON.parse(ran.stdout).totalEvents, 2000);
    assert.equal((await eventcore('verify')).code, 0);
    assert.equal((await eventcore('restore', '--to', target('restored.db'))).code, 0);
    assert.equal(await digestAt(target('restored.db')), digest);
    assert.equal((await eventcore('backup', 'incremental', '--store', store)).code, 0);
  });

  it('keeps copies in other buckets, heals from them, prunes, and comes back when a region is lost', async () => {
    for (const bucket of ['east', 'west']) server.createBucket(bucket);
    const at = (bucket: string): string => vault.replace('backups', bucket);
    const config = join(folder, 'regions.yaml');
    await writeFile(
      config,
      `primary:\n  region: east\n  storage: ${at('east')}\nreplicas:\n  - region: west\n    storage: ${at('west')}\n`,
    );
    const run = async (code: number, ...words: string[]): Promise<string> => {
      const ran = await runHere([...words, '--config', config, '--store', store]);
      assert.equal(ran.code, code, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
      return ran.stdout;
    };
    for (const kind of ['full', 'full', 'incremental']) await run(0, 'backup', kind);
    const copies = server.log.count('UploadPartCopy');
    const synced = JSON.parse(await run(0, 'sync', '--json')) as { regions: { copied: string[] }[] };
    assert.equal(synced.regions[0]!.copied.length, 3);
    assert.ok(server.log.count('UploadPartCopy') > copies, 'the server copies');
    const key = (await keysIn('east')).find((name) => name.includes('events-00001.columns'))!;
    server.corrupt('east', key);
    await run(4, 'verify');
    await run(0, 'verify', '--heal');
    await run(0, 'prune', '--keep-last', '2', '--apply');
    assert.equal((await keysIn('east')).filter((name) => name.endsWith('/manifest.json')).length, 2);
    server.removeBucket('east');
    await run(6, 'restore', '--to', target('lost.db'));
    await run(0, 'restore', '--region', 'west', '--to', target('west.db'));
    assert.equal(await digestAt(target('west.db')), digest);
  });

  it('lists what can go, by a tool for S3', async () => {
    const folder = 'shop/backups/full-backup-00000000-0000-4000-8000-000000000000.eventcore';
    await client.putObject({ Bucket: 'backups', Key: `${folder}/events-00001.columns.zst`, Body: 'x' });
    const { code, stdout } = await eventcore('list');
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`tool for S3:\n {4}s3://backups/${folder}/\n`));
    assert.doesNotMatch(stdout, /rm -r/);
  });

  it('restores from the first versions after somebody wrote over all of it and deleted it', async () => {
    const { Contents = [] } = await client.listObjectsV2({ Bucket: 'backups', Prefix: 'shop/backups/' });
    assert.ok(Contents.length > 5);
    for (const { Key } of Contents) {
      await client.putObject({ Bucket: 'backups', Key: Key!, Body: 'ransom' });
      if (Key!.endsWith('manifest.json')) await client.deleteObject({ Bucket: 'backups', Key: Key! });
    }
    assert.notEqual((await eventcore('restore', '--to', target('lost.db'))).code, 0);
    const from = ['--vault', `${vault}&versions=first`];
    const ran = await runHere(['restore', '--to', target('home.db'), ...from]);
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.equal(await digestAt(target('home.db')), digest);
    assert.equal((await runHere(['verify', ...from])).code, 0);
    assert.equal((await runHere(['backup', 'full', '--store', store, ...from])).code, 6);
  });

  it('says what is wrong with an address or a bucket, and never a secret', async () => {
    for (const [address, code, words] of [
      ['s3://backups?colour=red', 2, /unknown parameter "colour"/],
      ['s3://key:kanarienvogel@backups/x', 2, /credentials/],
      ['s3://backups?secretAccessKey=kanarienvogel', 2, /credentials/],
      [vault.replace('//backups', '//nowhere'), 6, /never created/],
    ] as const) {
      const ran = await runHere(['list', '--vault', address]);
      assert.equal(ran.code, code);
      assert.match(ran.stderr, words);
      assert.doesNotMatch(ran.stderr + ran.stdout, /kanarienvogel/);
    }
    const spool = ['archive', '--store', store, '--vault', vault, '--on-outage', 'spool', '--spool', vault];
    assert.equal((await runHere(spool)).code, 2);
  });

  it('is written into a configuration as it was given, but for a password', async () => {
    const config = join(folder, 'eventcore.config.yaml');
    const ran = await runHere(['init', '--config', config, '--store', store, '--vault', vault]);
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.equal((await runHere(['list', '--config', config])).code, 0);
  });

  // The last one: it sets the server's clock.
  it('asks for what is archived and says how long that takes, or waits for it', async () => {
    server.createBucket('archive');
    const archive = vault.replace('s3://backups', 'glacier://archive');
    const large = `sqlite:${join(folder, 'large.db')}`;
    const own = await fillStore(large, 20_000);
    const run = (...words: string[]): Promise<Ran> => runHere([...words, '--vault', archive]);
    // What lies there cannot be read back.
    assert.equal((await run('backup', 'full', '--no-verify', '--store', large)).code, 0);
    server.restoreMs = 3_600_000;
    const asked = await run('restore', '--to', target('asked.db'));
    assert.equal(asked.code, 6);
    assert.match(asked.stderr, /cannot be read yet[\s\S]*usually takes up to 5 h[\s\S]*--wait-for-archive/);
    assert.equal((await run('list')).code, 0);
    assert.equal((await run('verify')).code, 6);
    const waiting = run('restore', '--to', target('waited.db'), '--wait-for-archive');
    server.passTime(3_600_001);
    const waited = await waiting;
    assert.equal(waited.code, 0, waited.stderr);
    assert.equal(await digestAt(target('waited.db')), own);
  });
});
