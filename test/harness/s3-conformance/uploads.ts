import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { get, MIB, put, refused, type Scene, type Sentence, text } from './scene.ts';

const WHOLE = crypto.randomBytes(5 * MIB);
const REST = crypto.randomBytes(1000);

/** An upload under way. */
interface Upload {
  readonly named: { Bucket: string; Key: string; UploadId: string };
  part(PartNumber: number, Body: Uint8Array): Promise<{ PartNumber: number; ETag: string }>;
  complete(
    Parts: readonly { PartNumber: number; ETag: string }[],
    more?: Partial<CompleteMultipartUploadCommandInput>,
  ): Promise<{ ETag?: string | undefined }>;
  abort(): Promise<unknown>;
}

export async function startUpload(
  { s3 }: Scene,
  bucket: string,
  key: string,
  more: Partial<CreateMultipartUploadCommandInput> = {},
): Promise<Upload> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key, ...more }));
  const named = { Bucket: bucket, Key: key, UploadId: UploadId! };
  return {
    named,
    part: async (PartNumber, Body) => {
      const ContentMD5 = crypto.hash('md5', Body, 'base64');
      const { ETag } = await s3.send(new UploadPartCommand({ ...named, PartNumber, Body, ContentMD5 }));
      return { PartNumber, ETag: ETag! };
    },
    complete: (Parts, rest = {}) => {
      const MultipartUpload = { Parts: [...Parts] };
      return s3.send(new CompleteMultipartUploadCommand({ ...named, MultipartUpload, ...rest }));
    },
    abort: () => s3.send(new AbortMultipartUploadCommand(named)),
  };
}

export const UPLOADS: readonly Sentence[] = [
  {
    says: 'parts, sent in any order, become one object when the upload is completed, and not before',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/whole');
      const second = await upload.part(2, REST);
      const first = await upload.part(1, WHOLE);
      await refused(get(scene, scene.plain, 'parts/whole'), 404, 'NoSuchKey');
      const listed = await scene.s3.send(
        new ListObjectsV2Command({ Bucket: scene.plain, Prefix: 'parts/whole' }),
      );
      assert.equal(listed.KeyCount, 0);
      await upload.complete([first, second]);
      const both = Buffer.concat([WHOLE, REST]);
      assert.ok((await get(scene, scene.plain, 'parts/whole')).equals(both));
      const across = await get(scene, scene.plain, 'parts/whole', {
        Range: `bytes=${5 * MIB - 10}-${5 * MIB + 9}`,
      });
      assert.ok(across.equals(both.subarray(5 * MIB - 10, 5 * MIB + 10)));
      const digests = Buffer.concat([WHOLE, REST].map((bytes) => crypto.hash('md5', bytes, 'buffer')));
      const head = await scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'parts/whole' }));
      assert.equal(head.ETag, `"${crypto.hash('md5', digests)}-2"`);
    },
  },
  {
    says: 'a part sent again replaces the first',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/again');
      await upload.part(1, Buffer.from('old'));
      await upload.complete([await upload.part(1, Buffer.from('new'))]);
      assert.equal(await text(scene, scene.plain, 'parts/again'), 'new');
    },
  },
  {
    says: 'a part that is not named is not used',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/unnamed');
      const part = await upload.part(1, Buffer.from('used'));
      await upload.part(2, REST);
      await upload.complete([part]);
      assert.equal(await text(scene, scene.plain, 'parts/unnamed'), 'used');
    },
  },
  {
    says: 'a completion tells the ETag of the object',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/etag');
      const { ETag } = await upload.complete([await upload.part(1, REST)]);
      const head = await scene.s3.send(new HeadObjectCommand({ Bucket: scene.plain, Key: 'parts/etag' }));
      assert.equal(ETag, head.ETag);
    },
  },
  {
    says: 'a part of less than 5 MiB is refused unless it is the last',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/small');
      const parts = [await upload.part(1, REST), await upload.part(2, REST)];
      await refused(upload.complete(parts), 400, 'EntityTooSmall');
      await upload.abort();
    },
  },
  {
    says: 'parts that were never sent, or that are others, are refused',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/wrong');
      const [first, second] = [await upload.part(1, WHOLE), await upload.part(2, REST)];
      await refused(upload.complete([first, { PartNumber: 3, ETag: second.ETag }]), 400, 'InvalidPart');
      await refused(upload.complete([first, { PartNumber: 2, ETag: first.ETag }]), 400, 'InvalidPart');
      await upload.abort();
    },
  },
  {
    says: 'parts named in the wrong order are refused',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/order');
      const [first, second] = [await upload.part(1, WHOLE), await upload.part(2, REST)];
      await refused(upload.complete([second, first]), 400, 'InvalidPartOrder');
      await upload.abort();
    },
  },
  {
    says: 'an aborted upload is gone, with its parts',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/aborted');
      await upload.part(1, REST);
      await upload.abort();
      await refused(upload.part(2, REST), 404, 'NoSuchUpload');
      await refused(scene.s3.send(new ListPartsCommand(upload.named)), 404, 'NoSuchUpload');
    },
  },
  {
    says: 'an aborted upload cannot be completed',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/too-late');
      const part = await upload.part(1, REST);
      await upload.abort();
      await refused(upload.complete([part]), 404, 'NoSuchUpload');
    },
  },
  {
    says: 'the parts of an upload are listed, page by page',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/listed');
      for (const n of [1, 2, 7]) await upload.part(n, REST);
      const first = await scene.s3.send(new ListPartsCommand({ ...upload.named, MaxParts: 2 }));
      assert.deepEqual([first.Parts?.map(({ PartNumber }) => PartNumber), first.IsTruncated], [[1, 2], true]);
      const next = { PartNumberMarker: first.NextPartNumberMarker! };
      const second = await scene.s3.send(new ListPartsCommand({ ...upload.named, ...next }));
      assert.deepEqual([second.Parts?.map(({ PartNumber }) => PartNumber), second.IsTruncated], [[7], false]);
      assert.equal(second.Parts?.[0]?.Size, REST.length);
      await upload.abort();
    },
  },
  {
    says: 'unfinished uploads are listed by prefix, page by page',
    see: async (scene) => {
      const uploads = [];
      for (const key of ['open/a', 'open/a', 'open/b'])
        uploads.push(await startUpload(scene, scene.plain, key));
      const wanted = { Bucket: scene.plain, Prefix: 'open/' };
      const found: string[] = [];
      let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
      for (let pages = 0; pages < 5; pages += 1) {
        const page = await scene.s3.send(
          new ListMultipartUploadsCommand({ ...wanted, ...marker, MaxUploads: 1 }),
        );
        found.push(...(page.Uploads ?? []).map(({ UploadId }) => UploadId!));
        if (page.IsTruncated !== true) break;
        marker = { KeyMarker: page.NextKeyMarker!, UploadIdMarker: page.NextUploadIdMarker! };
      }
      assert.deepEqual([...found].sort(), uploads.map(({ named }) => named.UploadId).sort());
      for (const upload of uploads) await upload.abort();
    },
  },
  {
    says: 'a part is copied from a range of another object',
    see: async (scene) => {
      await put(scene, scene.plain, 'parts/source', WHOLE);
      const upload = await startUpload(scene, scene.plain, 'parts/copied');
      const wanted = {
        CopySource: `${scene.plain}/parts/source`,
        CopySourceRange: 'bytes=10-19',
        PartNumber: 1,
      };
      const { CopyPartResult } = await scene.s3.send(
        new UploadPartCopyCommand({ ...upload.named, ...wanted }),
      );
      await upload.complete([{ PartNumber: 1, ETag: CopyPartResult!.ETag! }]);
      assert.ok((await get(scene, scene.plain, 'parts/copied')).equals(WHOLE.subarray(10, 20)));
    },
  },
  {
    says: 'an upload completed with If-None-Match: * never writes over',
    see: async (scene) => {
      await put(scene, scene.plain, 'parts/taken', 'first');
      const upload = await startUpload(scene, scene.plain, 'parts/taken');
      const part = await upload.part(1, REST);
      await refused(upload.complete([part], { IfNoneMatch: '*' }), 412, 'PreconditionFailed');
      assert.equal(await text(scene, scene.plain, 'parts/taken'), 'first');
    },
  },
  {
    says: 'an upload completed with If-None-Match: * creates',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.plain, 'parts/created');
      await upload.complete([await upload.part(1, REST)], { IfNoneMatch: '*' });
      assert.ok((await get(scene, scene.plain, 'parts/created')).equals(REST));
    },
  },
];
