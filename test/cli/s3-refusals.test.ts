import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { digestAt, fillStore, makeFolder, runHere } from '../harness/command.ts';
import type { Fault } from '../harness/s3-server/faults.ts';
import { type S3Server, startS3Server } from '../harness/s3-server/server.ts';

const VARIABLES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;
const WRITES = ['PutObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload', 'CopyObject'];

let server: S3Server;
let folder: Awaited<ReturnType<typeof makeFolder>>;
let store: string;
const outside = VARIABLES.map((name) => process.env[name]);

before(async () => {
  server = await startS3Server();
  folder = await makeFolder();
  store = `sqlite:${join(folder.path, 'events.db')}`;
  await fillStore(store, 500);
});

beforeEach(() => {
  server.fault = null;
  use(server);
});

after(async () => {
  VARIABLES.forEach((name, i) => {
    setVariable(name, outside[i]);
  });
  await folder.remove();
  await server.stop();
});

test('a backup into a bucket is restored from it', async () => {
  const bucket = makeBucket('whole');
  assert.equal((await run(bucket, 'backup', 'full')).code, 0);
  const to = `sqlite:${join(folder.path, 'restored.db')}`;
  const restored = await run(bucket, 'restore', '--to', to);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal(await digestAt(to), await digestAt(store));
});

test('a bucket that is not there, wrong credentials and a session that has ended are exit code 6, with the reason', async () => {
  const bucket = makeBucket('refused');
  await assertRefused('no-such-bucket', /NoSuchBucket/);
  use({ ...server, secretAccessKey: 'wrong' });
  await assertRefused(bucket, /SignatureDoesNotMatch/);
  use({ ...server, accessKeyId: 'NOBODY' });
  await assertRefused(bucket, /InvalidAccessKeyId/);
  use(server.addUser({ sessionMs: -1 }));
  await assertRefused(bucket, /ExpiredToken/);
});

test('a bucket that may only be read gives its backups, and takes none', async () => {
  const bucket = makeBucket('read-only');
  assert.equal((await run(bucket, 'backup', 'full')).code, 0);
  const stored = server.storedBytes();
  use(server.addUser({ denied: ['PutObject', 'DeleteObject', 'AbortMultipartUpload'] }));
  await assertRefused(bucket, /AccessDenied/);
  assert.equal(server.storedBytes(), stored);
  assert.equal((await run(bucket, 'verify')).code, 0);
  assert.match((await run(bucket, 'list')).stdout, /full/);
});

test('a bucket that goes while a backup is written is exit code 6', async () => {
  const bucket = makeBucket('goes');
  let writes = 0;
  server.fault = ({ operation }) => {
    if (WRITES.includes(operation)) writes += 1;
    if (writes === 3) server.removeBucket(bucket);
    return null;
  };
  await assertRefused(bucket, /NoSuchBucket/);
});

test('rights that end in the middle of a backup leave none that a listing or a restore takes for one', async () => {
  const bucket = makeBucket('half');
  for (const after of [1, 2, 3, 4]) {
    let writes = 0;
    const denied: Fault = { status: 403, code: 'AccessDenied' };
    server.fault = ({ operation }) => (WRITES.includes(operation) && ++writes > after ? denied : null);
    const ran = await run(bucket, 'backup', 'full');
    server.fault = null;
    // The manifest is the last thing of a backup.
    if (ran.code === 0) continue;
    assert.equal(ran.code, 6, ran.stderr);
    const { backups } = JSON.parse((await run(bucket, 'list', '--json')).stdout);
    assert.deepEqual(backups, []);
    assert.equal((await run(bucket, 'restore', '--to', `sqlite:${join(folder.path, 'never.db')}`)).code, 3);
  }
  const later = await run(bucket, 'backup', 'full');
  assert.equal(later.code, 0, later.stderr);
  assert.equal((await run(bucket, 'verify')).code, 0);
});

test('no output of a failure has a secret in it', async () => {
  const bucket = makeBucket('quiet');
  const user = server.addUser({ sessionMs: -1 });
  use(user);
  for (const words of [['backup', 'full'], ['verify'], ['doctor'], ['list', '--json']]) {
    const { stdout, stderr } = await run(bucket, ...words);
    for (const secret of [user.secretAccessKey, user.sessionToken!]) {
      assert.ok(!`${stdout}${stderr}`.includes(secret), words.join(' '));
    }
  }
});

async function assertRefused(bucket: string, reason: RegExp): Promise<void> {
  const { code, stderr } = await run(bucket, 'backup', 'full');
  assert.equal(code, 6, stderr);
  assert.match(stderr, reason);
  assert.match(stderr, /\nhint: /);
}

function makeBucket(name: string): string {
  server.createBucket(name);
  return name;
}

function run(bucket: string, ...words: string[]) {
  const vault = `s3://${bucket}/shop?endpoint=${server.endpoint}&forcePathStyle=true`;
  return runHere(words, { env: { EVENTCORE_STORE: store, EVENTCORE_VAULT: vault } });
}

/** Where the client of S3 looks for them. */
function use(who: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }): void {
  setVariable(VARIABLES[0], who.accessKeyId);
  setVariable(VARIABLES[1], who.secretAccessKey);
  setVariable(VARIABLES[2], who.sessionToken);
}

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}
