import { type Answer, answer, answerXml, bodyText, type Call, header, isoTime } from './call.ts';
import { S3Error } from './s3-error.ts';
import { type Bucket, findBucket, sortUtf8, type World } from './world.ts';
import { malformed, readXml, textOf } from './xml.ts';

export function makeBucket(world: World, name: string, hasLock: boolean): Bucket {
  const bucket: Bucket = {
    ...{ name, createdAtMs: world.now(), versioning: hasLock ? 'Enabled' : null },
    ...{ lock: hasLock ? { defaultRetention: null } : null },
    ...{ objects: new Map(), uploads: new Map(), staleObjects: null },
  };
  world.buckets.set(name, bucket);
  return bucket;
}

export function createBucket(call: Call): Answer {
  if (call.world.buckets.has(call.bucketName)) {
    throw new S3Error(
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
    );
  }
  makeBucket(
    call.world,
    call.bucketName,
    header(call, 'x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true',
  );
  return answer(200, { location: `/${call.bucketName}` });
}

export function headBucket(call: Call): Answer {
  findBucket(call.world, call.bucketName);
  return answer(200, { 'x-amz-bucket-region': 'us-east-1' });
}

export function deleteBucket(call: Call): Answer {
  const { objects, name } = findBucket(call.world, call.bucketName);
  if (objects.size > 0) throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty');
  call.world.buckets.delete(name);
  return answer(204);
}

export function listBuckets(call: Call): Answer {
  const buckets = sortUtf8([...call.world.buckets.keys()]).map((name) => call.world.buckets.get(name)!);
  return answerXml('ListAllMyBucketsResult', [
    [
      'Buckets',
      buckets.map(
        ({ name, createdAtMs }) =>
          [
            'Bucket',
            [
              ['Name', name],
              ['CreationDate', isoTime(createdAtMs)],
            ],
          ] as const,
      ),
    ],
  ]);
}

export function getVersioning(call: Call): Answer {
  return answerXml('VersioningConfiguration', [
    ['Status', findBucket(call.world, call.bucketName).versioning],
  ]);
}

export function putVersioning(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const status = textOf(readXml(bodyText(call), 'VersioningConfiguration'), 'Status');
  if (status !== 'Enabled' && status !== 'Suspended') throw malformed();
  if (bucket.lock !== null && status === 'Suspended') {
    throw new S3Error(
      'InvalidBucketState',
      'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
    );
  }
  bucket.versioning = status;
  return answer(200);
}
