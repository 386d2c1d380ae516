import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  RestoreObjectCommand,
} from '@aws-sdk/client-s3';
import { get, put, refused, type Scene, type Sentence, text } from './scene.ts';
import { startUpload } from './uploads.ts';

const HOUR_MS = 3_600_000;

export const VERSIONS: readonly Sentence[] = [
  {
    says: 'a bucket says whether it keeps versions',
    see: async ({ s3, plain, versioned, locked }) => {
      const status = async (Bucket: string) =>
        (await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status;
      assert.deepEqual(
        [await status(plain), await status(versioned), await status(locked)],
        [undefined, 'Enabled', 'Enabled'],
      );
    },
  },
  {
    says: 'what is written over or deleted can be read by its version',
    see: async (scene) => {
      const bucket = scene.versioned;
      const first = await put(scene, bucket, 'kept', '1');
      const second = await put(scene, bucket, 'kept', '2');
      const deleted = await scene.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'kept' }));
      assert.equal(deleted.DeleteMarker, true);
      await refused(get(scene, bucket, 'kept'), 404, 'NoSuchKey');
      assert.equal(await text(scene, bucket, 'kept', first.VersionId), '1');
      assert.equal(await text(scene, bucket, 'kept', second.VersionId), '2');
      const { Versions, DeleteMarkers } = await versionsOf(scene, bucket, 'kept');
      assert.deepEqual(
        Versions?.map(({ VersionId }) => VersionId),
        [second.VersionId, first.VersionId],
      );
      assert.deepEqual(
        Versions?.map(({ IsLatest }) => IsLatest),
        [false, false],
      );
      assert.deepEqual(
        DeleteMarkers?.map(({ IsLatest }) => IsLatest),
        [true],
      );
    },
  },
  {
    says: 'a version that is gone is NoSuchVersion',
    see: async (scene) => {
      const bucket = scene.versioned;
      const { VersionId } = await put(scene, bucket, 'gone', 'x');
      await scene.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'gone', VersionId }));
      await refused(get(scene, bucket, 'gone', { VersionId: VersionId! }), 404, 'NoSuchVersion');
    },
  },
  {
    says: 'a marker is a version that cannot be read',
    see: async (scene) => {
      const bucket = scene.versioned;
      const { VersionId } = await scene.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'marked' }));
      await refused(get(scene, bucket, 'marked', { VersionId: VersionId! }), 405, 'MethodNotAllowed');
    },
  },
  {
    says: 'a marker taken away brings back what it hid, and a version taken away is gone for good',
    see: async (scene) => {
      const bucket = scene.versioned;
      const first = await put(scene, bucket, 'back', '1');
      const second = await put(scene, bucket, 'back', '2');
      const { VersionId } = await scene.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'back' }));
      await scene.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'back', VersionId }));
      assert.equal(await text(scene, bucket, 'back'), '2');
      const gone = { Bucket: bucket, Key: 'back', VersionId: second.VersionId };
      await scene.s3.send(new DeleteObjectCommand(gone));
      assert.equal(await text(scene, bucket, 'back'), '1');
      await refused(scene.s3.send(new GetObjectCommand(gone)), 404);
      assert.equal((await versionsOf(scene, bucket, 'back')).Versions?.[0]?.VersionId, first.VersionId);
    },
  },
  {
    says: 'If-None-Match: * adds no second version',
    see: async (scene) => {
      await put(scene, scene.versioned, 'once', '1', { IfNoneMatch: '*' });
      await refused(
        put(scene, scene.versioned, 'once', '2', { IfNoneMatch: '*' }),
        412,
        'PreconditionFailed',
      );
    },
  },
  {
    says: 'If-None-Match: * creates again where the last word is a marker',
    see: async (scene) => {
      const bucket = scene.versioned;
      await put(scene, bucket, 'anew', '1', { IfNoneMatch: '*' });
      await scene.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'anew' }));
      await put(scene, bucket, 'anew', '3', { IfNoneMatch: '*' });
      assert.equal(await text(scene, bucket, 'anew'), '3');
    },
  },
];

export const LOCKS: readonly Sentence[] = [
  {
    says: 'a bucket says how it locks, or that it does not',
    see: async ({ s3, plain, retained }) => {
      const { ObjectLockConfiguration } = await s3.send(
        new GetObjectLockConfigurationCommand({ Bucket: retained }),
      );
      assert.equal(ObjectLockConfiguration?.ObjectLockEnabled, 'Enabled');
      assert.equal(ObjectLockConfiguration?.Rule?.DefaultRetention?.Mode, 'GOVERNANCE');
      assert.equal(ObjectLockConfiguration?.Rule?.DefaultRetention?.Days, 1);
      const none = s3.send(new GetObjectLockConfigurationCommand({ Bucket: plain }));
      await refused(none, 404, 'ObjectLockConfigurationNotFoundError');
    },
  },
  {
    says: 'a bucket that locks goes on keeping versions',
    see: async ({ s3, locked }) => {
      const VersioningConfiguration = { Status: 'Suspended' } as const;
      await refused(
        s3.send(new PutBucketVersioningCommand({ Bucket: locked, VersioningConfiguration })),
        409,
      );
    },
  },
  {
    says: 'the retention of the bucket holds for what says nothing itself',
    see: async (scene) => {
      const { VersionId } = await write(scene, scene.retained, 'held', '1');
      const named = { Bucket: scene.retained, Key: 'held', VersionId };
      const { Retention } = await scene.s3.send(new GetObjectRetentionCommand(named));
      assert.equal(Retention?.Mode, 'GOVERNANCE');
      const leftMs = Retention!.RetainUntilDate!.getTime() - Date.now();
      assert.ok(leftMs > 23 * HOUR_MS && leftMs < 25 * HOUR_MS, `${leftMs} ms left`);
      await refused(scene.s3.send(new DeleteObjectCommand(named)), 403, 'AccessDenied');
      const batch = { Bucket: scene.retained, Delete: { Objects: [{ Key: 'held', VersionId }] } };
      const { Errors } = await scene.s3.send(new DeleteObjectsCommand(batch));
      assert.equal(Errors?.[0]?.Code, 'AccessDenied');
      assert.equal(await text(scene, scene.retained, 'held', VersionId), '1');
    },
  },
  {
    says: 'a locked name can be written over and hidden, and its locked version stays',
    see: async (scene) => {
      const first = await write(scene, scene.retained, 'over', 'good');
      await write(scene, scene.retained, 'over', 'bad');
      await scene.s3.send(new DeleteObjectCommand({ Bucket: scene.retained, Key: 'over' }));
      await refused(get(scene, scene.retained, 'over'), 404);
      assert.equal(await text(scene, scene.retained, 'over', first.VersionId), 'good');
    },
  },
  {
    says: 'governance yields to who asks for it and may',
    see: async (scene) => {
      const { VersionId } = await write(scene, scene.locked, 'yields', '1', lockedFor('GOVERNANCE', HOUR_MS));
      const named = { Bucket: scene.locked, Key: 'yields', VersionId };
      const head = await scene.s3.send(new HeadObjectCommand(named));
      assert.equal(head.ObjectLockMode, 'GOVERNANCE');
      await refused(scene.s3.send(new DeleteObjectCommand(named)), 403, 'AccessDenied');
      const shorter = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + HOUR_MS / 2) } as const;
      await refused(scene.s3.send(new PutObjectRetentionCommand({ ...named, Retention: shorter })), 403);
      await scene.s3.send(new DeleteObjectCommand({ ...named, BypassGovernanceRetention: true }));
      await refused(scene.s3.send(new GetObjectCommand(named)), 404);
    },
  },
  {
    says: 'compliance yields to nobody, and can only grow',
    see: async (scene) => {
      // Short, so that no test leaves for long what nobody can remove.
      const { VersionId } = await write(scene, scene.locked, 'stays', '1', lockedFor('COMPLIANCE', 60_000));
      const named = { Bucket: scene.locked, Key: 'stays', VersionId };
      const bypassing = { ...named, BypassGovernanceRetention: true };
      await refused(scene.s3.send(new DeleteObjectCommand(bypassing)), 403, 'AccessDenied');
      const until = (ms: number) =>
        ({ Mode: 'COMPLIANCE', RetainUntilDate: new Date(Date.now() + ms) }) as const;
      const shorter = new PutObjectRetentionCommand({ ...bypassing, Retention: until(10_000) });
      await refused(scene.s3.send(shorter), 403, 'AccessDenied');
      await scene.s3.send(new PutObjectRetentionCommand({ ...named, Retention: until(120_000) }));
    },
  },
  {
    says: 'a legal hold holds until it is taken off, whoever asks',
    see: async (scene) => {
      const { VersionId } = await write(scene, scene.locked, 'on-hold', '1');
      const named = { Bucket: scene.locked, Key: 'on-hold', VersionId };
      const hold = (Status: 'ON' | 'OFF') =>
        scene.s3.send(new PutObjectLegalHoldCommand({ ...named, LegalHold: { Status } }));
      await hold('ON');
      const { LegalHold } = await scene.s3.send(new GetObjectLegalHoldCommand(named));
      assert.equal(LegalHold?.Status, 'ON');
      const bypassing = new DeleteObjectCommand({ ...named, BypassGovernanceRetention: true });
      await refused(scene.s3.send(bypassing), 403, 'AccessDenied');
      await hold('OFF');
      await scene.s3.send(new DeleteObjectCommand(named));
    },
  },
  {
    says: 'an object may be put with its hold',
    see: async (scene) => {
      const { VersionId } = await write(scene, scene.locked, 'held-at-once', '1', {
        ObjectLockLegalHoldStatus: 'ON',
      });
      const named = { Bucket: scene.locked, Key: 'held-at-once', VersionId };
      await refused(scene.s3.send(new DeleteObjectCommand(named)), 403, 'AccessDenied');
      await scene.s3.send(new PutObjectLegalHoldCommand({ ...named, LegalHold: { Status: 'OFF' } }));
    },
  },
  {
    says: 'an upload in parts is locked as it was started',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.locked, 'in-parts', lockedFor('GOVERNANCE', HOUR_MS));
      await upload.complete([await upload.part(1, Buffer.from('x'))]);
      const named = { Bucket: scene.locked, Key: 'in-parts' };
      const { VersionId, ObjectLockMode } = await scene.s3.send(new HeadObjectCommand(named));
      assert.equal(ObjectLockMode, 'GOVERNANCE');
      await refused(scene.s3.send(new DeleteObjectCommand({ ...named, VersionId })), 403, 'AccessDenied');
    },
  },
  {
    says: 'an upload in parts is held as long as the bucket says',
    see: async (scene) => {
      const upload = await startUpload(scene, scene.retained, 'in-parts');
      await upload.complete([await upload.part(1, Buffer.from('x'))]);
      const named = { Bucket: scene.retained, Key: 'in-parts' };
      const { VersionId } = await scene.s3.send(new HeadObjectCommand(named));
      await refused(scene.s3.send(new DeleteObjectCommand({ ...named, VersionId })), 403, 'AccessDenied');
    },
  },
  {
    says: 'a retention can be put on what is there',
    see: async (scene) => {
      const { VersionId } = await write(scene, scene.locked, 'later', 'x');
      const named = { Bucket: scene.locked, Key: 'later', VersionId };
      const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + HOUR_MS) } as const;
      await scene.s3.send(new PutObjectRetentionCommand({ ...named, Retention }));
      await refused(scene.s3.send(new DeleteObjectCommand(named)), 403, 'AccessDenied');
    },
  },
  {
    says: 'a lock in the past, and one in a bucket without locks, are refused',
    see: async (scene) => {
      await refused(write(scene, scene.locked, 'past', '1', lockedFor('GOVERNANCE', -HOUR_MS)), 400);
      await refused(
        write(scene, scene.plain, 'unlocked', '1', lockedFor('GOVERNANCE', HOUR_MS)),
        400,
        'InvalidRequest',
      );
    },
  },
  {
    says: 'nothing goes into a lock without a digest of it',
    see: async (scene) => {
      await refused(put(scene, scene.retained, 'no-digest', '1'), 400, 'InvalidRequest');
    },
  },
];

export const ARCHIVE: readonly Sentence[] = [
  {
    says: 'what is archived cannot be read before it was asked for',
    see: async (scene) => {
      await put(scene, scene.plain, 'archived', 'x', { StorageClass: 'GLACIER' });
      await refused(get(scene, scene.plain, 'archived'), 403, 'InvalidObjectState');
    },
  },
  {
    says: 'what is archived can be read some time after it was asked for',
    see: async (scene) => {
      await put(scene, scene.plain, 'recalled', 'x', { StorageClass: 'GLACIER' });
      const named = { Bucket: scene.plain, Key: 'recalled' };
      await scene.s3.send(new RestoreObjectCommand({ ...named, RestoreRequest: { Days: 1 } }));
      const { Restore } = await scene.s3.send(new HeadObjectCommand(named));
      assert.match(Restore ?? '', /^ongoing-request="(true|false)"/);
    },
  },
];

/** As `put`, with the digest that a bucket with locks asks for. */
function write(
  scene: Scene,
  bucket: string,
  key: string,
  body: string,
  more: Parameters<typeof put>[4] = {},
) {
  return put(scene, bucket, key, body, { ContentMD5: crypto.hash('md5', body, 'base64'), ...more });
}

function lockedFor(ObjectLockMode: 'GOVERNANCE' | 'COMPLIANCE', ms: number) {
  return { ObjectLockMode, ObjectLockRetainUntilDate: new Date(Date.now() + ms) };
}

function versionsOf({ s3 }: Scene, bucket: string, key: string) {
  return s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key }));
}
