import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { connect, get, put, refused, type Sentence, text } from './scene.ts';

const BYTES = crypto.randomBytes(300_000);
const DIGEST = crypto.hash('sha256', BYTES, 'base64');
const WRONG_DIGEST = crypto.hash('sha256', 'other', 'base64');
const NO_ETAG = '"00000000000000000000000000000000"';

export const OBJECTS: readonly Sentence[] = [
  {
    says: 'a wrong secret and an unknown key are refused',
    see: async ({ place, plain }) => {
      const list = new ListObjectsV2Command({ Bucket: plain });
      await refused(connect({ ...place, secretAccessKey: 'wrong' }).send(list), 403, 'SignatureDoesNotMatch');
      await refused(connect({ ...place, accessKeyId: 'NOBODY' }).send(list), 403, 'InvalidAccessKeyId');
    },
  },
  {
    says: 'a bucket that is not there has nothing and takes nothing',
    see: async (scene) => {
      await refused(put(scene, 'no-such-bucket', 'a', 'x'), 404, 'NoSuchBucket');
      await refused(get(scene, 'no-such-bucket', 'a'), 404, 'NoSuchBucket');
      await refused(
        scene.s3.send(new ListObjectsV2Command({ Bucket: 'no-such-bucket' })),
        404,
        'NoSuchBucket',
      );
      await refused(scene.s3.send(new HeadBucketCommand({ Bucket: 'no-such-bucket' })), 404);
    },
  },
  {
    says: 'what is put is got, with its size, type and metadata',
    see: async (scene) => {
      const said = { ContentType: 'application/x-tar', Metadata: { who: 'me', 'other-one': '1 2' } };
      const { ETag } = await put(scene, scene.plain, 'put/whole', BYTES, said);
      assert.ok((await get(scene, scene.plain, 'put/whole')).equals(BYTES));
      const head = await scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'put/whole' }));
      assert.equal(head.ContentLength, BYTES.length);
      assert.equal(head.ContentType, said.ContentType);
      assert.deepEqual(head.Metadata, said.Metadata);
      assert.equal(head.ETag, ETag);
      assert.equal(ETag, `"${crypto.hash('md5', BYTES)}"`);
      assert.ok(Math.abs(head.LastModified!.getTime() - Date.now()) < 60_000);
    },
  },
  {
    says: 'an empty object is an object',
    see: async (scene) => {
      await put(scene, scene.plain, 'put/empty', '');
      assert.equal((await get(scene, scene.plain, 'put/empty')).length, 0);
    },
  },
  {
    says: 'a stream of a stated length is put',
    see: async (scene) => {
      const Body = Readable.from([BYTES.subarray(0, 100_000), BYTES.subarray(100_000)]);
      await scene.s3.send(
        new PutObjectCommand({ Bucket: scene.plain, Key: 'put/stream', Body, ContentLength: BYTES.length }),
      );
      assert.ok((await get(scene, scene.plain, 'put/stream')).equals(BYTES));
    },
  },
  {
    says: 'a stream is put with a checksum behind it',
    see: async ({ place, plain, ...scene }) => {
      const s3 = connect(place, { checksums: 'WHEN_SUPPORTED' });
      const Body = Readable.from([BYTES.subarray(0, 100_000), BYTES.subarray(100_000)]);
      await s3.send(
        new PutObjectCommand({ Bucket: plain, Key: 'put/trailed', Body, ContentLength: BYTES.length }),
      );
      assert.ok((await get({ place, plain, ...scene }, plain, 'put/trailed')).equals(BYTES));
    },
  },
  {
    says: 'bytes that do not have their Content-MD5 are refused, and not stored',
    see: async (scene) => {
      const ContentMD5 = crypto.hash('md5', 'other', 'base64');
      await refused(put(scene, scene.plain, 'put/bad-md5', BYTES, { ContentMD5 }), 400, 'BadDigest');
      await refused(get(scene, scene.plain, 'put/bad-md5'), 404, 'NoSuchKey');
      await put(scene, scene.plain, 'put/good-md5', 'other', { ContentMD5 });
    },
  },
  {
    says: 'bytes that do not have their SHA-256 are refused, and not stored',
    see: async (scene) => {
      const wrong = { ChecksumSHA256: WRONG_DIGEST };
      await refused(put(scene, scene.plain, 'put/bad-sha', BYTES, wrong), 400, 'BadDigest');
      await refused(get(scene, scene.plain, 'put/bad-sha'), 404, 'NoSuchKey');
    },
  },
  {
    says: 'the SHA-256 that an object was put with is told again',
    see: async (scene) => {
      await put(scene, scene.plain, 'put/sha', BYTES, { ChecksumSHA256: DIGEST });
      const named = { Bucket: scene.plain, Key: 'put/sha' };
      const head = await scene.s3.send(new HeadObjectCommand({ ...named, ChecksumMode: 'ENABLED' }));
      assert.equal(head.ChecksumSHA256, DIGEST);
    },
  },
  {
    says: 'a key that is not there is NoSuchKey, and 404 without a word for HEAD',
    see: async (scene) => {
      await refused(get(scene, scene.plain, 'none'), 404, 'NoSuchKey');
      await refused(
        scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'none' })),
        404,
        'NotFound',
      );
    },
  },
  {
    says: 'a range is exactly what was asked for, as far as there is something',
    see: async (scene) => {
      await put(scene, scene.plain, 'range', BYTES);
      const range = (Range: string) => get(scene, scene.plain, 'range', { Range });
      assert.ok((await range('bytes=1000-1999')).equals(BYTES.subarray(1000, 2000)));
      assert.ok((await range('bytes=299999-')).equals(BYTES.subarray(299_999)));
      assert.ok((await range('bytes=-100')).equals(BYTES.subarray(-100)));
      assert.ok((await range('bytes=299990-400000')).equals(BYTES.subarray(299_990)));
      await refused(range('bytes=300000-300001'), 416, 'InvalidRange');
      const part = await scene.s3.send(
        new GetObjectCommand({ Bucket: scene.plain, Key: 'range', Range: 'bytes=0-9' }),
      );
      assert.equal(part.$metadata.httpStatusCode, 206);
      assert.equal(part.ContentRange, 'bytes 0-9/300000');
      part.Body!.transformToByteArray();
    },
  },
  {
    says: 'keys may have spaces, signs and letters of any script',
    see: async (scene) => {
      const keys = ['odd/a b+c%/ü.txt', "odd/!*'()&=?#", 'odd//double', 'odd/日本'];
      for (const key of keys) await put(scene, scene.plain, key, key);
      for (const key of keys) assert.equal(await text(scene, scene.plain, key), key);
      const listed = await scene.s3.send(new ListObjectsV2Command({ Bucket: scene.plain, Prefix: 'odd/' }));
      assert.deepEqual(listed.Contents!.map(({ Key }) => Key).sort(), [...keys].sort());
    },
  },
  {
    says: 'deleting is done once, and again without complaint',
    see: async (scene) => {
      const one = { Bucket: scene.plain, Key: 'delete/one' };
      await put(scene, scene.plain, one.Key, 'x');
      await scene.s3.send(new DeleteObjectCommand(one));
      await scene.s3.send(new DeleteObjectCommand(one));
      await refused(get(scene, scene.plain, one.Key), 404, 'NoSuchKey');
    },
  },
  {
    says: 'many are deleted in one request, those that are not there too',
    see: async (scene) => {
      for (const n of [1, 2]) await put(scene, scene.plain, `delete/many/${n}`, 'x');
      const Objects = [1, 2, 3].map((n) => ({ Key: `delete/many/${n}` }));
      const done = await scene.s3.send(
        new DeleteObjectsCommand({ Bucket: scene.plain, Delete: { Objects } }),
      );
      assert.equal(done.Deleted?.length, 3);
      assert.equal(done.Errors, undefined);
      await refused(get(scene, scene.plain, 'delete/many/1'), 404);
    },
  },
  {
    says: 'a read may depend on the ETag',
    see: async (scene) => {
      const { ETag } = await put(scene, scene.plain, 'read-if', 'x');
      await refused(get(scene, scene.plain, 'read-if', { IfMatch: NO_ETAG }), 412, 'PreconditionFailed');
      await refused(get(scene, scene.plain, 'read-if', { IfNoneMatch: ETag! }), 304);
      assert.equal((await get(scene, scene.plain, 'read-if', { IfMatch: ETag! })).toString(), 'x');
    },
  },
  {
    says: 'If-None-Match: * creates, and never writes over',
    see: async (scene) => {
      await put(scene, scene.plain, 'create', 'first', { IfNoneMatch: '*' });
      await refused(
        put(scene, scene.plain, 'create', 'second', { IfNoneMatch: '*' }),
        412,
        'PreconditionFailed',
      );
      assert.equal(await text(scene, scene.plain, 'create'), 'first');
    },
  },
  {
    says: 'of eight that create the same key at once, one does',
    see: async (scene) => {
      const racers = Array.from({ length: 8 }, (_, i) =>
        put(scene, scene.plain, 'race', `${i}`, { IfNoneMatch: '*' }),
      );
      const ended = await Promise.allSettled(racers);
      const winners = ended.flatMap(({ status }, i) => (status === 'fulfilled' ? [`${i}`] : []));
      assert.deepEqual(winners, [await text(scene, scene.plain, 'race')]);
    },
  },
  {
    says: 'If-Match replaces what is known, and nothing else',
    see: async (scene) => {
      const { ETag } = await put(scene, scene.plain, 'replace', '1');
      await refused(put(scene, scene.plain, 'replace', '2', { IfMatch: NO_ETAG }), 412, 'PreconditionFailed');
      await put(scene, scene.plain, 'replace', '2', { IfMatch: ETag!.replaceAll('"', '') });
      await refused(put(scene, scene.plain, 'replace', '3', { IfMatch: ETag!.replaceAll('"', '') }), 412);
      assert.equal(await text(scene, scene.plain, 'replace'), '2');
    },
  },
  {
    says: 'If-Match takes the ETag as it was given, quotes and all',
    see: async (scene) => {
      const { ETag } = await put(scene, scene.plain, 'replace-quoted', '1');
      await put(scene, scene.plain, 'replace-quoted', '2', { IfMatch: ETag! });
    },
  },
  {
    says: 'If-Match creates nothing',
    see: async (scene) => {
      await refused(put(scene, scene.plain, 'replace-none', 'x', { IfMatch: NO_ETAG }), 404, 'NoSuchKey');
    },
  },
  {
    says: 'a copy has the content and the metadata of its source',
    see: async (scene) => {
      await put(scene, scene.plain, 'copy/from +ü', BYTES, { Metadata: { a: 'b' } });
      const CopySource = `${scene.plain}/${encodeURIComponent('copy/from +ü')}`;
      await scene.s3.send(new CopyObjectCommand({ Bucket: scene.plain, Key: 'copy/to', CopySource }));
      assert.ok((await get(scene, scene.plain, 'copy/to')).equals(BYTES));
      const head = await scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'copy/to' }));
      assert.deepEqual(head.Metadata, { a: 'b' });
      const none = { Bucket: scene.plain, Key: 'copy/never', CopySource: `${scene.plain}/none` };
      await refused(scene.s3.send(new CopyObjectCommand(none)), 404, 'NoSuchKey');
    },
  },
  {
    says: 'a copy with If-None-Match: * never writes over',
    see: async (scene) => {
      await put(scene, scene.plain, 'copy/new', 'new');
      await put(scene, scene.plain, 'copy/old', 'old');
      const wanted = { Bucket: scene.plain, Key: 'copy/old', CopySource: `${scene.plain}/copy/new` };
      await refused(scene.s3.send(new CopyObjectCommand({ ...wanted, IfNoneMatch: '*' })), 412);
      assert.equal(await text(scene, scene.plain, 'copy/old'), 'old');
    },
  },
  {
    says: 'the storage class is kept and told',
    see: async (scene) => {
      await put(scene, scene.plain, 'class', 'x', { StorageClass: 'STANDARD_IA' });
      const head = await scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'class' }));
      assert.equal(head.StorageClass, 'STANDARD_IA');
      const wanted = { Bucket: scene.plain, Prefix: 'class' };
      const listed = await scene.s3.send(new ListObjectsV2Command(wanted));
      assert.equal(listed.Contents?.[0]?.StorageClass, 'STANDARD_IA');
    },
  },
];
