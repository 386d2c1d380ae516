import assert from 'node:assert/strict';
import { ListObjectsV2Command, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { put, type Scene, type Sentence } from './scene.ts';

export const LISTINGS: readonly Sentence[] = [
  {
    says: 'keys are listed in the order of their UTF-8 bytes, page by page, each once',
    see: async (scene) => {
      // The last two stand the other way round in the order of UTF-16.
      const keys = [
        'order/A',
        'order/a',
        'order/a/b',
        'order/a0',
        'order/é',
        'order/\uff5e',
        'order/\u{1f600}',
      ];
      for (const key of [...keys].reverse()) await put(scene, scene.plain, key, 'x');
      assert.deepEqual((await listPages(scene, { Prefix: 'order/', MaxKeys: 2 })).keys, keys);
    },
  },
  {
    says: 'a delimiter tells all behind it as one, over pages too',
    see: async (scene) => {
      const keys = ['group/a/1', 'group/a/2', 'group/a/3', 'group/b', 'group/c/1', 'group/c/2', 'group/d'];
      for (const key of keys) await put(scene, scene.plain, key, 'x');
      for (const MaxKeys of [1, 2, 1000]) {
        const { keys: found, prefixes } = await listPages(scene, {
          Prefix: 'group/',
          Delimiter: '/',
          MaxKeys,
        });
        assert.deepEqual(
          [found, prefixes],
          [
            ['group/b', 'group/d'],
            ['group/a/', 'group/c/'],
          ],
          `by ${MaxKeys}`,
        );
      }
    },
  },
  {
    says: 'a listing starts after any name',
    see: async (scene) => {
      for (const n of [1, 2, 3]) await put(scene, scene.plain, `after/${n}`, 'x');
      const { keys } = await listPages(scene, { Prefix: 'after/', StartAfter: 'after/1x', MaxKeys: 1 });
      assert.deepEqual(keys, ['after/2', 'after/3']);
    },
  },
  {
    says: 'a listing tells sizes, times and ETags, and nothing of what is not there',
    see: async (scene) => {
      const { ETag } = await put(scene, scene.plain, 'told/one', '12345');
      const wanted = { Bucket: scene.plain, Prefix: 'told/' };
      const { Contents, IsTruncated } = await scene.s3.send(new ListObjectsV2Command(wanted));
      assert.deepEqual([Contents?.length, Contents?.[0]?.Size, Contents?.[0]?.ETag], [1, 5, ETag]);
      assert.ok(Math.abs(Contents![0]!.LastModified!.getTime() - Date.now()) < 60_000);
      assert.equal(IsTruncated, false);
      assert.equal((await listPages(scene, { Prefix: 'nothing/' })).keys.length, 0);
    },
  },
  {
    says: 'keys come encoded when that is asked for',
    see: async (scene) => {
      await put(scene, scene.plain, 'encoded/a b+c/é', 'x');
      const wanted = { Bucket: scene.plain, Prefix: 'encoded/', EncodingType: 'url' } as const;
      const { Contents } = await scene.s3.send(new ListObjectsV2Command(wanted));
      const key = Contents![0]!.Key!;
      assert.notEqual(key, 'encoded/a b+c/é');
      assert.equal(decodeURIComponent(key), 'encoded/a b+c/é');
    },
  },
  {
    says: 'all versions are listed, newest first, page by page, each once',
    see: async (scene) => {
      const written: string[] = [];
      for (const [key, times] of [
        ['pages/a', 3],
        ['pages/b', 1],
        ['pages/c', 2],
      ] as const) {
        const ids: string[] = [];
        for (let n = 0; n < times; n += 1) {
          ids.unshift(`${key} ${(await put(scene, scene.versioned, key, `${n}`)).VersionId}`);
        }
        written.push(...ids);
      }
      for (const MaxKeys of [1, 2, 4, 1000]) {
        assert.deepEqual(await listVersionPages(scene, MaxKeys), written, `by ${MaxKeys}`);
      }
    },
  },
];

async function listVersionPages(scene: Scene, MaxKeys: number): Promise<string[]> {
  const found: string[] = [];
  let marker: { KeyMarker?: string; VersionIdMarker?: string } = {};
  for (let pages = 0; pages < 20; pages += 1) {
    const wanted = { Bucket: scene.versioned, Prefix: 'pages/', MaxKeys, ...marker };
    const page = await scene.s3.send(new ListObjectVersionsCommand(wanted));
    found.push(...(page.Versions ?? []).map(({ Key, VersionId }) => `${Key} ${VersionId}`));
    if (page.IsTruncated !== true) return found;
    marker = { KeyMarker: page.NextKeyMarker!, VersionIdMarker: page.NextVersionIdMarker! };
  }
  throw new Error('the listing has no end');
}

async function listPages(
  { s3, plain }: Scene,
  wanted: { Prefix: string; Delimiter?: string; MaxKeys?: number; StartAfter?: string },
): Promise<{ keys: string[]; prefixes: string[] }> {
  const keys: string[] = [];
  const prefixes: string[] = [];
  let next: { ContinuationToken?: string } = {};
  for (let pages = 0; pages < 20; pages += 1) {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: plain, ...wanted, ...next }));
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key!));
    prefixes.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!));
    if (page.IsTruncated !== true) return { keys, prefixes };
    next = { ContinuationToken: page.NextContinuationToken! };
  }
  throw new Error('the listing has no end');
}
