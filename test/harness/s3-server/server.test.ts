import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { connect, get, MIB, put, refused, type Scene, setScene, text } from '../s3-conformance/scene.ts';
import { type S3Server, type S3ServerOptions, startS3Server } from './server.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let server: S3Server;
let scene: Scene;

before(async () => {
  server = await startS3Server();
  scene = await setScene(server);
});

beforeEach(() => {
  server.fault = null;
  server.log.clear();
});

after(async () => {
  scene.s3.destroy();
  await server.stop();
});

test('a header changed, added or left out after the signing is noticed', async () => {
  const change = (alter: (headers: Record<string, string>) => void): S3Client => {
    const client = connect(server);
    client.middlewareStack.add(
      (next) => (args) => {
        alter((args.request as { headers: Record<string, string> }).headers);
        return next(args);
      },
      { step: 'deserialize', priority: 'low' },
    );
    return client;
  };
  const wanted = new PutObjectCommand({
    Bucket: scene.plain,
    Key: 'signed',
    Body: 'x',
    Metadata: { a: 'b' },
  });
  const changed = change((headers) => {
    headers['x-amz-meta-a'] = 'c';
  });
  const added = change((headers) => {
    headers['x-amz-storage-class'] = 'GLACIER';
  });
  const unsigned = change((headers) => {
    delete headers.authorization;
  });
  await refused(changed.send(wanted), 403, 'SignatureDoesNotMatch');
  await refused(added.send(wanted), 403, 'AccessDenied');
  await refused(unsigned.send(wanted), 403, 'AccessDenied');
  await refused(get(scene, scene.plain, 'signed'), 404);
});

test('a body changed on its way does not have the hash that was signed', async () => {
  const client = connect(server);
  client.middlewareStack.add(
    (next) => (args) => {
      (args.request as { body: Uint8Array }).body = Buffer.from('y');
      return next(args);
    },
    { step: 'deserialize', priority: 'low' },
  );
  const wanted = new PutObjectCommand({ Bucket: scene.plain, Key: 'changed', Body: 'x' });
  await refused(client.send(wanted), 400, 'XAmzContentSHA256Mismatch');
  await refused(get(scene, scene.plain, 'changed'), 404);
});

test('a clock that is an hour wrong is refused, and the client that asks again corrects itself', async () => {
  server.clockAheadMs = HOUR_MS;
  try {
    await refused(get({ ...scene, s3: connect(server) }, scene.plain, 'x'), 403, 'RequestTimeTooSkewed');
    await put({ ...scene, s3: connect(server, { maxAttempts: 2 }) }, scene.plain, 'skewed', 'x');
  } finally {
    server.clockAheadMs = 0;
  }
});

test('a session works with its token, until that is too old', async () => {
  const session = server.addUser({ sessionMs: HOUR_MS });
  const { endpoint, region } = server;
  const other = { ...session, sessionToken: 'another' };
  await put({ ...scene, s3: connect({ endpoint, region, ...session }) }, scene.plain, 'session', 'x');
  await refused(
    get({ ...scene, s3: connect({ endpoint, region, ...other }) }, scene.plain, 'session'),
    400,
    'InvalidToken',
  );
  server.expireSessions();
  await refused(
    get({ ...scene, s3: connect({ endpoint, region, ...session }) }, scene.plain, 'session'),
    400,
    'ExpiredToken',
  );
});

test('who lacks a right is refused what takes it, and told nothing of what is not there', async () => {
  const denied = ['DeleteObjectVersion', 'BypassGovernanceRetention', 'ListBucket'];
  const s3 = connect({ endpoint: server.endpoint, region: server.region, ...server.addUser({ denied }) });
  const limited = { ...scene, s3 };
  const { VersionId } = await put(limited, scene.versioned, 'rights', 'x');
  const named = { Bucket: scene.versioned, Key: 'rights', VersionId };
  await refused(s3.send(new DeleteObjectCommand(named)), 403, 'AccessDenied');
  const Delete = { Objects: [{ Key: 'rights', VersionId }, { Key: 'rights' }] };
  const { Errors, Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket: scene.versioned, Delete }));
  assert.deepEqual([Errors?.length, Deleted?.length], [1, 1]);
  await refused(s3.send(new ListObjectsV2Command({ Bucket: scene.plain })), 403, 'AccessDenied');
  await refused(get(limited, scene.plain, 'none'), 403, 'AccessDenied');
  const ContentMD5 = crypto.hash('md5', 'x', 'base64');
  const locked = await put(limited, scene.retained, 'rights', 'x', { ContentMD5 });
  const bypass = { Bucket: scene.retained, Key: 'rights', VersionId: locked.VersionId };
  await refused(s3.send(new DeleteObjectCommand({ ...bypass, BypassGovernanceRetention: true })), 403);
});

test('a storm of errors is what the hook makes it, and nothing is done in it', async () => {
  server.fault = ({ number }) => (number === 1 ? { status: 503, code: 'SlowDown' } : null);
  await put({ ...scene, s3: connect(server, { maxAttempts: 2 }) }, scene.plain, 'storm', 'x');
  assert.deepEqual(
    server.log.requests.map(({ operation, status, code }) => [operation, status, code]),
    [
      ['PutObject', 503, 'SlowDown'],
      ['PutObject', 200, null],
    ],
  );
  server.fault = () => ({ status: 500, code: 'InternalError' });
  await refused(put(scene, scene.plain, 'storm-2', 'x'), 500, 'InternalError');
  server.fault = null;
  await refused(get(scene, scene.plain, 'storm-2'), 404);
});

test('an error may come after the status said that all is well', async () => {
  server.fault = () => ({ status: 200, code: 'InternalError' });
  const wanted = { Bucket: scene.plain, Key: 'x', UploadId: 'y', MultipartUpload: { Parts: [] } };
  await assert.rejects(scene.s3.send(new CompleteMultipartUploadCommand(wanted)), { name: 'InternalError' });
});

test('a connection cut before or within the request leaves nothing behind', async () => {
  const body = crypto.randomBytes(3 * MIB);
  for (const fault of ['cut-before', { cutRequestAfterBytes: MIB }] as const) {
    server.fault = () => fault;
    await assert.rejects(put(scene, scene.plain, 'cut', body));
  }
  server.fault = null;
  await refused(get(scene, scene.plain, 'cut'), 404);
  const cut = server.log.requests.find(({ status, requestBytes }) => status === 0 && requestBytes > 0);
  assert.ok(cut !== undefined && cut.requestBytes < 2 * MIB, `${cut?.requestBytes} bytes came`);
});

test('an answer that never comes is of something that was done', async () => {
  server.fault = () => 'cut-after';
  await assert.rejects(put(scene, scene.plain, 'lost-answer', 'x'));
  server.fault = null;
  assert.equal(await text(scene, scene.plain, 'lost-answer'), 'x');
});

test('a body cut short does not pass for a whole one, and one with a flipped bit does', async () => {
  const body = crypto.randomBytes(3 * MIB);
  await put(scene, scene.plain, 'body', body);
  server.fault = () => ({ cutBodyAfterBytes: MIB });
  await assert.rejects(get(scene, scene.plain, 'body'));
  assert.equal(server.log.requests.at(-1)?.answerBytes, MIB);
  server.fault = () => ({ flipBodyByte: 5 });
  const flipped = await get(scene, scene.plain, 'body');
  assert.equal(flipped.length, body.length);
  assert.deepEqual([flipped.subarray(0, 5).equals(body.subarray(0, 5)), flipped[5]], [true, body[5]! ^ 1]);
  server.fault = null;
  assert.ok((await get(scene, scene.plain, 'body')).equals(body));
});

test('silence lasts until the client or the server ends it', async () => {
  const own = await startS3Server();
  own.createBucket('plain');
  own.fault = () => 'silent';
  const s3 = connect(own);
  const impatient = s3.send(new ListObjectsV2Command({ Bucket: 'plain' }), {
    abortSignal: AbortSignal.timeout(50),
  });
  await assert.rejects(impatient, { name: 'AbortError' });
  const asked = Promise.withResolvers<void>();
  own.fault = () => {
    asked.resolve();
    return 'silent';
  };
  const patient = assert.rejects(s3.send(new ListObjectsV2Command({ Bucket: 'plain' })));
  await asked.promise;
  await own.stop();
  await patient;
});

test('listings lag behind where a test says so, and reads do not', async () => {
  await put(scene, scene.plain, 'lag/1', 'x');
  const thaw = server.freezeListings(scene.plain);
  await put(scene, scene.plain, 'lag/2', 'x');
  await scene.s3.send(new DeleteObjectCommand({ Bucket: scene.plain, Key: 'lag/1' }));
  const keys = async () => {
    const { Contents } = await scene.s3.send(
      new ListObjectsV2Command({ Bucket: scene.plain, Prefix: 'lag/' }),
    );
    return Contents?.map(({ Key }) => Key);
  };
  assert.deepEqual(await keys(), ['lag/1']);
  assert.equal(await text(scene, scene.plain, 'lag/2'), 'x');
  thaw();
  assert.deepEqual(await keys(), ['lag/2']);
});

test('stored bytes go bad where a test says so, in one object and not in its copy', async () => {
  await put(scene, scene.plain, 'bad', 'abc');
  server.corrupt(scene.plain, 'bad', 1);
  assert.equal(await text(scene, scene.plain, 'bad'), 'acc');
});

test('an archived object is under way as long as that takes, then readable for its days, then archived again', async () => {
  await put(scene, scene.plain, 'cold', 'x', { StorageClass: 'DEEP_ARCHIVE' });
  const named = { Bucket: scene.plain, Key: 'cold' };
  const ask = (Days: number) =>
    scene.s3.send(new RestoreObjectCommand({ ...named, RestoreRequest: { Days } }));
  const told = async () => (await scene.s3.send(new HeadObjectCommand(named))).Restore;
  server.restoreMs = 12 * HOUR_MS;
  assert.equal((await ask(2)).$metadata.httpStatusCode, 202);
  assert.equal(await told(), 'ongoing-request="true"');
  await refused(ask(2), 409, 'RestoreAlreadyInProgress');
  await refused(get(scene, scene.plain, 'cold'), 403, 'InvalidObjectState');
  server.passTime(13 * HOUR_MS);
  assert.match((await told()) ?? '', /^ongoing-request="false", expiry-date="/);
  assert.equal(await text(scene, scene.plain, 'cold'), 'x');
  assert.equal((await ask(3)).$metadata.httpStatusCode, 200);
  server.passTime(2.9 * DAY_MS);
  assert.equal(await text(scene, scene.plain, 'cold'), 'x');
  server.passTime(DAY_MS);
  await refused(get(scene, scene.plain, 'cold'), 403, 'InvalidObjectState');
  assert.equal(await told(), undefined);
  await put(scene, scene.plain, 'warm', 'x');
  const warm = { Bucket: scene.plain, Key: 'warm', RestoreRequest: { Days: 1 } };
  await refused(scene.s3.send(new RestoreObjectCommand(warm)), 403, 'InvalidObjectState');
});

test('a retention that is over holds nothing', async () => {
  const ContentMD5 = crypto.hash('md5', 'x', 'base64');
  const { VersionId } = await put(scene, scene.retained, 'over', 'x', { ContentMD5 });
  const named = { Bucket: scene.retained, Key: 'over', VersionId };
  await refused(scene.s3.send(new DeleteObjectCommand(named)), 403, 'AccessDenied');
  server.passTime(1.1 * DAY_MS);
  await scene.s3.send(new DeleteObjectCommand(named));
});

test('how an object is encrypted is told again', async () => {
  await put(scene, scene.plain, 'kms', 'x', { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'key-1' });
  const head = await scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'kms' }));
  assert.deepEqual([head.ServerSideEncryption, head.SSEKMSKeyId], ['aws:kms', 'key-1']);
  await put(scene, scene.plain, 'aes', 'x');
  const plain = await scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'aes' }));
  assert.equal(plain.ServerSideEncryption, 'AES256');
});

test('an upload with checksums wants those of all parts, and has one made of them', async () => {
  const upload = { Bucket: scene.plain, Key: 'summed' };
  const begun = await scene.s3.send(
    new CreateMultipartUploadCommand({ ...upload, ChecksumAlgorithm: 'SHA256' }),
  );
  const named = { ...upload, UploadId: begun.UploadId };
  const ChecksumSHA256 = crypto.hash('sha256', 'x', 'base64');
  const part = { PartNumber: 1, Body: 'x', ChecksumSHA256 };
  const { ETag } = await scene.s3.send(new UploadPartCommand({ ...named, ...part }));
  const complete = (Part: { ETag: string; PartNumber: number; ChecksumSHA256?: string }) =>
    scene.s3.send(new CompleteMultipartUploadCommand({ ...named, MultipartUpload: { Parts: [Part] } }));
  await refused(complete({ PartNumber: 1, ETag: ETag! }), 400, 'InvalidRequest');
  const done = await complete({ PartNumber: 1, ETag: ETag!, ChecksumSHA256 });
  const whole = crypto.hash('sha256', Buffer.from(ChecksumSHA256, 'base64'), 'base64');
  assert.equal(done.ChecksumSHA256, `${whole}-1`);
});

test('a server that ignores conditions writes over, and one that refuses them says 501', async () => {
  const ignoring = await startPlain({ ignores: ['if-none-match', 'checksums'] });
  await put(ignoring.scene, 'plain', 'a', '1', { IfNoneMatch: '*' });
  await put(ignoring.scene, 'plain', 'a', '2', { IfNoneMatch: '*' });
  await put(ignoring.scene, 'plain', 'a', '3', { ChecksumSHA256: crypto.hash('sha256', 'x', 'base64') });
  await ignoring.stop();
  const refusing = await startPlain({ ignores: ['conditions-refused'] });
  await refused(put(refusing.scene, 'plain', 'a', '1', { IfNoneMatch: '*' }), 501, 'NotImplemented');
  await refusing.stop();
});

test('it holds no more than it may, and nothing after it stopped', async () => {
  const small = await startPlain({ maxStoredBytes: 3 * MIB });
  const body = crypto.randomBytes(2 * MIB);
  await put(small.scene, 'plain', 'a', body);
  await refused(put(small.scene, 'plain', 'b', body), 500, 'InternalError');
  await put(small.scene, 'plain', 'a', body.subarray(0, 10));
  await put(small.scene, 'plain', 'b', body);
  assert.equal(small.server.storedBytes(), 2 * MIB + 10);
  await small.stop();
  assert.equal(small.server.storedBytes(), 0);
});

test('requests are counted and answered at the same time', async () => {
  const slow = await startPlain({ latencyMs: 100 });
  await Promise.all([1, 2, 3, 4].map((n) => put(slow.scene, 'plain', `${n}`, 'x')));
  assert.equal(slow.server.log.peak, 4);
  assert.equal(slow.server.log.count('PutObject'), 4);
  assert.equal(slow.server.log.count('GetObject'), 0);
  await slow.stop();
});

test('what S3 has and this server lacks is refused, not taken for done', async () => {
  await put(scene, scene.plain, 'tagged', 'x');
  const named = { Bucket: scene.plain, Key: 'tagged' };
  await refused(scene.s3.send(new GetObjectTaggingCommand(named)), 501, 'NotImplemented');
});

test('a bucket that is gone takes all with it', async () => {
  server.createBucket('gone', { versioning: true });
  await put(scene, 'gone', 'a', 'x');
  server.removeBucket('gone');
  const named = { Bucket: 'gone', Key: 'a' };
  await refused(scene.s3.send(new GetObjectCommand(named)), 404, 'NoSuchBucket');
  await refused(scene.s3.send(new ListObjectVersionsCommand({ Bucket: 'gone' })), 404, 'NoSuchBucket');
});

async function startPlain(options: S3ServerOptions) {
  const own = await startS3Server(options);
  own.createBucket('plain');
  const s3 = connect(own);
  const stop = async (): Promise<void> => {
    s3.destroy();
    await own.stop();
  };
  return { server: own, scene: { ...scene, s3, place: own }, stop };
}
