import assert from 'node:assert/strict';
import {
  GetObjectCommand,
  type GetObjectCommandInput,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import type { BucketOptions, SessionCredentials } from '../s3-server/server.ts';

/** A server to hold against S3, whichever it is. */
export interface S3Place extends SessionCredentials {
  readonly endpoint: string;
  readonly region: string;
  createBucket(name: string, options?: BucketOptions): void | Promise<void>;
}

/** What the sentences are about: a client, and buckets in which each of them keeps to keys of its own. */
export interface Scene {
  readonly s3: S3Client;
  readonly place: S3Place;
  readonly plain: string;
  readonly versioned: string;
  /** With Object Lock, and no retention but what is asked for. */
  readonly locked: string;
  /** All in it are held for a day, in governance mode. */
  readonly retained: string;
}

/** Something that holds of S3, and how to see it. */
export interface Sentence {
  readonly says: string;
  readonly see: (scene: Scene) => Promise<void>;
}

export const MIB = 1 << 20;

export async function setScene(place: S3Place): Promise<Scene> {
  const buckets = { plain: 'plain', versioned: 'versioned', locked: 'locked', retained: 'retained' };
  await place.createBucket(buckets.plain);
  await place.createBucket(buckets.versioned, { versioning: true });
  await place.createBucket(buckets.locked, { lock: true });
  await place.createBucket(buckets.retained, { lock: { mode: 'GOVERNANCE', days: 1 } });
  return { s3: connect(place), place, ...buckets };
}

/** A client that asks once, and adds no checksums that nobody asked for: not every server knows them. */
export function connect(
  place: Pick<S3Place, 'endpoint' | 'region'> & SessionCredentials,
  options: { maxAttempts?: number; checksums?: 'WHEN_SUPPORTED' | 'WHEN_REQUIRED' } = {},
): S3Client {
  const { accessKeyId, secretAccessKey, sessionToken } = place;
  const checksums = options.checksums ?? 'WHEN_REQUIRED';
  return new S3Client({
    ...{ endpoint: place.endpoint, region: place.region, forcePathStyle: true },
    ...{ maxAttempts: options.maxAttempts ?? 1, requestHandler: { requestTimeout: 20_000 } },
    ...{ requestChecksumCalculation: checksums, responseChecksumValidation: checksums },
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  });
}

/** Passes when the request is refused with that status and, where an answer has a body to say it in, that code. */
export async function refused(request: Promise<unknown>, status: number, code?: string): Promise<void> {
  await assert.rejects(request, (error: Error & { $metadata?: { httpStatusCode?: number } }) => {
    assert.equal(error.$metadata?.httpStatusCode, status, `${error.name}: ${error.message}`);
    if (code !== undefined) assert.equal(error.name, code);
    return true;
  });
}

export function put(
  { s3 }: Scene,
  bucket: string,
  key: string,
  body: string | Uint8Array,
  more: Partial<PutObjectCommandInput> = {},
) {
  return s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...more }));
}

export async function get(
  { s3 }: Scene,
  bucket: string,
  key: string,
  more: Partial<GetObjectCommandInput> = {},
): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...more }));
  return Buffer.from(await Body!.transformToByteArray());
}

export async function text(scene: Scene, bucket: string, key: string, VersionId?: string): Promise<string> {
  return (await get(scene, bucket, key, VersionId === undefined ? {} : { VersionId })).toString();
}
