import { restoreObject } from './archive.ts';
import { deleteObjects } from './batch-delete.ts';
import {
  createBucket,
  deleteBucket,
  getVersioning,
  headBucket,
  listBuckets,
  putVersioning,
} from './buckets.ts';
import type { Handler } from './call.ts';
import { listObjects, listParts, listUploads, listVersions } from './listing.ts';
import {
  getLegalHold,
  getLockConfiguration,
  getRetention,
  putLegalHold,
  putLockConfiguration,
  putRetention,
} from './locks.ts';
import { abortUpload, completeUpload, copyPart, createUpload, uploadPart } from './multipart.ts';
import { copyObject, deleteObject, getObject, headObject, putObject } from './objects.ts';
import { S3Error } from './s3-error.ts';

interface Route {
  readonly handle: Handler;
  /** The right that it takes, as a policy names it; that of a named version differs for some. */
  readonly right: string;
  readonly versionRight?: string;
}

export type Operation = keyof typeof ROUTES;

export const ROUTES = {
  ListBuckets: { handle: listBuckets, right: 'ListAllMyBuckets' },
  CreateBucket: { handle: createBucket, right: 'CreateBucket' },
  HeadBucket: { handle: headBucket, right: 'ListBucket' },
  DeleteBucket: { handle: deleteBucket, right: 'DeleteBucket' },
  GetBucketVersioning: { handle: getVersioning, right: 'GetBucketVersioning' },
  PutBucketVersioning: { handle: putVersioning, right: 'PutBucketVersioning' },
  GetObjectLockConfiguration: { handle: getLockConfiguration, right: 'GetBucketObjectLockConfiguration' },
  PutObjectLockConfiguration: { handle: putLockConfiguration, right: 'PutBucketObjectLockConfiguration' },
  ListObjectsV2: { handle: listObjects, right: 'ListBucket' },
  ListObjectVersions: { handle: listVersions, right: 'ListBucketVersions' },
  ListMultipartUploads: { handle: listUploads, right: 'ListBucketMultipartUploads' },
  DeleteObjects: { handle: deleteObjects, right: '' },
  PutObject: { handle: putObject, right: 'PutObject' },
  CopyObject: { handle: copyObject, right: 'PutObject' },
  GetObject: { handle: getObject, right: 'GetObject', versionRight: 'GetObjectVersion' },
  HeadObject: { handle: headObject, right: 'GetObject', versionRight: 'GetObjectVersion' },
  DeleteObject: { handle: deleteObject, right: 'DeleteObject', versionRight: 'DeleteObjectVersion' },
  CreateMultipartUpload: { handle: createUpload, right: 'PutObject' },
  UploadPart: { handle: uploadPart, right: 'PutObject' },
  UploadPartCopy: { handle: copyPart, right: 'PutObject' },
  CompleteMultipartUpload: { handle: completeUpload, right: 'PutObject' },
  AbortMultipartUpload: { handle: abortUpload, right: 'AbortMultipartUpload' },
  ListParts: { handle: listParts, right: 'ListMultipartUploadParts' },
  GetObjectRetention: { handle: getRetention, right: 'GetObjectRetention' },
  PutObjectRetention: { handle: putRetention, right: 'PutObjectRetention' },
  GetObjectLegalHold: { handle: getLegalHold, right: 'GetObjectLegalHold' },
  PutObjectLegalHold: { handle: putLegalHold, right: 'PutObjectLegalHold' },
  RestoreObject: { handle: restoreObject, right: 'RestoreObject' },
} as const satisfies Record<string, Route>;

/** By method and the parameter that makes it another operation; the first that the query has counts. */
const OF_BUCKET: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  GET: {
    versioning: 'GetBucketVersioning',
    'object-lock': 'GetObjectLockConfiguration',
    versions: 'ListObjectVersions',
    uploads: 'ListMultipartUploads',
    'list-type': 'ListObjectsV2',
  },
  PUT: {
    versioning: 'PutBucketVersioning',
    'object-lock': 'PutObjectLockConfiguration',
    '': 'CreateBucket',
  },
  HEAD: { '': 'HeadBucket' },
  DELETE: { '': 'DeleteBucket' },
  POST: { delete: 'DeleteObjects' },
};

const OF_OBJECT: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  GET: {
    uploadId: 'ListParts',
    retention: 'GetObjectRetention',
    'legal-hold': 'GetObjectLegalHold',
    '': 'GetObject',
  },
  PUT: {
    uploadId: 'UploadPart',
    retention: 'PutObjectRetention',
    'legal-hold': 'PutObjectLegalHold',
    '': 'PutObject',
  },
  HEAD: { '': 'HeadObject' },
  DELETE: { uploadId: 'AbortMultipartUpload', '': 'DeleteObject' },
  POST: { uploads: 'CreateMultipartUpload', uploadId: 'CompleteMultipartUpload', restore: 'RestoreObject' },
};

/** What S3 has besides and this server lacks: refused, so that no test takes it for done. */
const LACKING = [
  'acl',
  'tagging',
  'policy',
  'lifecycle',
  'encryption',
  'replication',
  'attributes',
  'select',
  'location',
];

export function findOperation(
  method: string,
  {
    bucketName,
    key,
    query,
    isCopy,
  }: { bucketName: string; key: string; query: URLSearchParams; isCopy: boolean },
): Operation {
  if (bucketName === '' && method === 'GET') return 'ListBuckets';
  const table = (key === '' ? OF_BUCKET : OF_OBJECT)[method] ?? {};
  const named = Object.keys(table).find((name) => name !== '' && query.has(name));
  const found = LACKING.some((name) => query.has(name)) ? undefined : (table[named ?? ''] ?? undefined);
  if (found === undefined) {
    throw new S3Error('NotImplemented', `${method} with ${[...query.keys()].join(', ') || 'no parameters'}`);
  }
  if (!isCopy) return found;
  return found === 'PutObject' ? 'CopyObject' : found === 'UploadPart' ? 'UploadPartCopy' : found;
}

export function rightFor(operation: Operation, query: URLSearchParams): string {
  const route: Route = ROUTES[operation];
  return (query.has('versionId') ? route.versionRight : undefined) ?? route.right;
}
