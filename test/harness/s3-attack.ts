import crypto from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type ObjectVersion,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';

/** What somebody with the rights of a backup host tried, by the name of it: how often it was done, and how often refused. */
export interface Spoils {
  readonly by: Readonly<Record<string, { done: number; refused: number }>>;
  /** How many objects had been uploaded in parts. */
  readonly inParts: number;
}

interface Found {
  readonly key: string;
  readonly versionId: string;
  /** Of a removal: it has nothing that could be locked. */
  readonly isMarker: boolean;
  readonly isInParts: boolean;
}

/**
 * Does all the harm to a bucket that these rights let it do: loosens what holds, writes over every name, removes every version
 * and every name, and puts something else under each of them.
 */
export async function attackBucket(s3: S3Client, bucket: string): Promise<Spoils> {
  const by: Record<string, { done: number; refused: number }> = {};
  const attempt = async (name: string, send: () => Promise<unknown>): Promise<void> => {
    by[name] ??= { done: 0, refused: 0 };
    try {
      await send();
      by[name].done += 1;
    } catch (error) {
      // Anything but a refusal would be a mistake of the attacker, and prove nothing.
      const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
      if (status !== 403 && status !== 409) throw new Error(`${name}: ${status}`, { cause: error });
      by[name].refused += 1;
    }
  };
  await loosenBucket(s3, bucket, attempt);
  const found = await allVersions(s3, bucket);
  for (const version of found.filter(({ isMarker }) => !isMarker)) await loosen(s3, bucket, version, attempt);
  const keys = [...new Set(found.map(({ key }) => key))];
  // What can be removed again would only bring back what it hid: so the last word is to write over.
  for (const key of keys) await writeOver(s3, bucket, key, keys[0]!, attempt);
  for (const version of await allVersions(s3, bucket)) await remove(s3, bucket, version, attempt);
  for (const key of keys) await writeOver(s3, bucket, key, keys[0]!, attempt);
  await abortUploads(s3, bucket, attempt);
  await attempt('delete the bucket', () => s3.send(new DeleteBucketCommand({ Bucket: bucket })));
  return { by, inParts: found.filter(({ isInParts }) => isInParts).length };
}

type Attempt = (name: string, send: () => Promise<unknown>) => Promise<void>;

async function loosenBucket(s3: S3Client, Bucket: string, attempt: Attempt): Promise<void> {
  const VersioningConfiguration = { Status: 'Suspended' } as const;
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled' } as const;
  await attempt('keep no more versions', () =>
    s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration })),
  );
  await attempt('lock no more objects', () =>
    s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration })),
  );
}

async function loosen(s3: S3Client, Bucket: string, found: Found, attempt: Attempt): Promise<void> {
  const named = { Bucket, Key: found.key, VersionId: found.versionId };
  const soon = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + 2000) } as const;
  for (const BypassGovernanceRetention of [false, true]) {
    await attempt('shorten a lock', () =>
      s3.send(new PutObjectRetentionCommand({ ...named, Retention: soon, BypassGovernanceRetention })),
    );
  }
  await attempt('take off a hold', () =>
    s3.send(new PutObjectLegalHoldCommand({ ...named, LegalHold: { Status: 'OFF' } })),
  );
}

async function remove(s3: S3Client, Bucket: string, found: Found, attempt: Attempt): Promise<void> {
  const named = { Bucket, Key: found.key, VersionId: found.versionId };
  await attempt('remove a version', () => s3.send(new DeleteObjectCommand(named)));
  await attempt('remove a version, bypassing', () =>
    s3.send(new DeleteObjectCommand({ ...named, BypassGovernanceRetention: true })),
  );
  await attempt('remove a version among others, bypassing', async () => {
    const Delete = { Objects: [{ Key: found.key, VersionId: found.versionId }] };
    const wanted = { Bucket, Delete, BypassGovernanceRetention: true };
    const { Errors = [] } = await s3.send(new DeleteObjectsCommand(wanted));
    if (Errors.length > 0)
      throw Object.assign(new Error(Errors[0]!.Code), { $metadata: { httpStatusCode: 403 } });
  });
}

async function writeOver(
  s3: S3Client,
  Bucket: string,
  Key: string,
  other: string,
  attempt: Attempt,
): Promise<void> {
  const Body = crypto.randomBytes(1000);
  const ContentMD5 = crypto.hash('md5', Body, 'base64');
  await attempt('write over a name', () => s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentMD5 })));
  await attempt('hide a name', () => s3.send(new DeleteObjectCommand({ Bucket, Key })));
  const CopySource = `${Bucket}/${encodeURIComponent(other)}`;
  // Of the name that was hidden first nothing can be copied any more.
  if (Key !== other) await attempt('write over a name again', () => copyOver(s3, Bucket, Key, CopySource));
}

async function copyOver(s3: S3Client, Bucket: string, Key: string, CopySource: string): Promise<void> {
  const { Versions = [] } = await s3.send(
    new ListObjectVersionsCommand({
      Bucket,
      Prefix: decodeURIComponent(CopySource.slice(Bucket.length + 1)),
    }),
  );
  const source = `${CopySource}?versionId=${encodeURIComponent(Versions[0]!.VersionId!)}`;
  await s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: source }));
}

async function abortUploads(s3: S3Client, Bucket: string, attempt: Attempt): Promise<void> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  for (const { Key, UploadId } of Uploads) {
    await attempt('abort an upload', () =>
      s3.send(new AbortMultipartUploadCommand({ Bucket, Key: Key!, UploadId: UploadId! })),
    );
  }
}

async function allVersions(s3: S3Client, Bucket: string): Promise<Found[]> {
  const found: Found[] = [];
  let marker: { KeyMarker?: string; VersionIdMarker?: string } | null = {};
  while (marker !== null) {
    const page: Awaited<ReturnType<typeof listPage>> = await listPage(s3, { Bucket, ...marker });
    const { Versions = [], DeleteMarkers = [] } = page;
    found.push(...Versions.map((version) => describe(version, false)));
    found.push(...DeleteMarkers.map((marker) => describe(marker, true)));
    const { NextKeyMarker, NextVersionIdMarker } = page;
    marker =
      page.IsTruncated === true ? { KeyMarker: NextKeyMarker!, VersionIdMarker: NextVersionIdMarker! } : null;
  }
  return found;
}

function describe({ Key, VersionId, ETag }: ObjectVersion, isMarker: boolean): Found {
  return { key: Key!, versionId: VersionId!, isMarker, isInParts: /-\d+"?$/.test(ETag ?? '') };
}

function listPage(s3: S3Client, wanted: { Bucket: string; KeyMarker?: string; VersionIdMarker?: string }) {
  return s3.send(new ListObjectVersionsCommand(wanted));
}
