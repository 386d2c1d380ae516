import crypto from 'node:crypto';
import { requireReadable, restoreHeader } from './archive.ts';
import { type Answer, answer, answerXml, type Call, header, isoTime, requireRight } from './call.ts';
import { checkIfMatch, checkReadConditions, checkWriteConditions } from './conditions.ts';
import { checkUnlocked, lockHeaders, lockOfWrite, requireDigest } from './locks.ts';
import { S3Error } from './s3-error.ts';
import { encryptionOf, traitsOfCopy, traitsOfWrite } from './traits.ts';
import {
  addMarker,
  addVersion,
  type Bucket,
  currentVersion,
  dropKey,
  dropVersion,
  findBucket,
  findVersion,
  slicePieces,
  storedBytes,
  type Version,
} from './world.ts';

const MAX_KEY_BYTES = 1024;

export function putObject(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const { body, md5, checksums } = call.payload;
  requireDigest(call, bucket, 'Put Object');
  requireRoom(call, body.length);
  checkWriteConditions(call, bucket, 'if-none-match');
  const version = addVersion(call.world, bucket, {
    ...{ key: call.key, pieces: [body], sizeBytes: body.length, etag: `"${md5.toString('hex')}"` },
    traits: traitsOfWrite(call, checksums),
    ...lockOfWrite(call, bucket),
  });
  return answer(200, { etag: version.etag, ...writtenHeaders(bucket, version), ...checksumHeaders(version) });
}

/** What the answer to every write says, in whatever way it was written. */
export function writtenHeaders(bucket: Bucket, version: Version): Record<string, string> {
  return { ...versionHeader(bucket, version), ...encryptionOf(version.traits) };
}

/** The server is bounded: what a test fills it with beyond that is the test's mistake. */
export function requireRoom(call: Call, sizeBytes: number): void {
  if (Buffer.byteLength(call.key) > MAX_KEY_BYTES)
    throw new S3Error('InvalidArgument', 'Your key is too long');
  const { world } = call;
  const { maxStoredBytes } = world.settings;
  if (world.storedBytesBound + sizeBytes > maxStoredBytes) world.storedBytesBound = storedBytes(world);
  if (world.storedBytesBound + sizeBytes > maxStoredBytes) {
    throw new S3Error('InternalError', 'this server holds all that it was allowed to hold');
  }
  world.storedBytesBound += sizeBytes;
}

export function getObject(call: Call): Answer {
  const version = readableVersion(call);
  requireReadable(version, call.world.now());
  const range = readRange(header(call, 'range'), version.sizeBytes);
  if (range === null) return answer(200, objectHeaders(call, version), version);
  const { from, to } = range;
  const content = { pieces: slicePieces(version, from, to), sizeBytes: to - from };
  const headers = objectHeaders(call, version);
  // A checksum of the whole says nothing of a part.
  for (const name of Object.keys(headers)) if (name.startsWith('x-amz-checksum-')) delete headers[name];
  return answer(
    206,
    { ...headers, 'content-range': `bytes ${from}-${to - 1}/${version.sizeBytes}` },
    content,
  );
}

export function headObject(call: Call): Answer {
  const version = readableVersion(call);
  // The server sends no body to HEAD, whatever it is given.
  return answer(200, objectHeaders(call, version), version);
}

function readableVersion(call: Call): Version {
  const bucket = findBucket(call.world, call.bucketName);
  const version = findVersion(bucket, call.key, call.query.get('versionId'));
  checkReadConditions(call, version);
  return version;
}

function objectHeaders(call: Call, version: Version): Record<string, string> {
  const bucket = findBucket(call.world, call.bucketName);
  const { storageClass } = version.traits;
  return {
    'accept-ranges': 'bytes',
    'last-modified': new Date(version.modifiedAtMs).toUTCString(),
    etag: version.etag,
    ...version.traits.headers,
    ...(storageClass === 'STANDARD' ? {} : { 'x-amz-storage-class': storageClass }),
    ...versionHeader(bucket, version),
    ...lockHeaders(version),
    ...restoreHeader(version, call.world.now()),
    ...(header(call, 'x-amz-checksum-mode') === 'ENABLED' ? checksumHeaders(version) : {}),
  };
}

/** `from` up to `to`; null for the whole. What is no range at all is ignored, as HTTP has it. */
function readRange(text: string | null, sizeBytes: number): { from: number; to: number } | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(text ?? '');
  if (match === null || match[0] === 'bytes=-') return null;
  const [, first, last] = match;
  const from = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const to = first === '' || last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  if (from < to) return { from, to };
  throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
    facts: { RangeRequested: text!, ActualObjectSize: String(sizeBytes) },
    headers: { 'content-range': `bytes */${sizeBytes}` },
  });
}

export function deleteObject(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const versionId = call.query.get('versionId');
  const ifMatch = header(call, 'if-match');
  if (ifMatch !== null) checkIfMatch(ifMatch, currentVersion(bucket, call.key), call.key);
  return answer(204, removeOne(call, bucket, call.key, versionId));
}

/** The headers of the answer. A version goes for good; without one, a marker hides what is kept. */
export function removeOne(
  call: Call,
  bucket: Bucket,
  key: string,
  versionId: string | null,
): Record<string, string> {
  if (versionId !== null) {
    const version = bucket.objects.get(key)?.find((one) => one.versionId === versionId);
    if (version === undefined) return { 'x-amz-version-id': versionId };
    checkUnlocked(call, version);
    dropVersion(bucket, version);
    return { 'x-amz-version-id': versionId, ...(version.isMarker ? { 'x-amz-delete-marker': 'true' } : {}) };
  }
  if (bucket.versioning === null) {
    dropKey(bucket, key);
    return {};
  }
  const marker = addMarker(call.world, bucket, key);
  return { 'x-amz-version-id': marker.versionId, 'x-amz-delete-marker': 'true' };
}

export function copyObject(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const source = copySource(call);
  if (source.sizeBytes > call.world.settings.maxCopyBytes) {
    throw new S3Error(
      'InvalidRequest',
      'The specified copy source is larger than the maximum allowable size for a copy source',
    );
  }
  refuseIdleCopy(call, bucket, source);
  requireRoom(call, 0);
  checkWriteConditions(call, bucket, 'if-none-match');
  const hash = crypto.createHash('md5');
  for (const piece of source.pieces) hash.update(piece);
  const version = addVersion(call.world, bucket, {
    ...{ key: call.key, pieces: source.pieces, sizeBytes: source.sizeBytes, etag: `"${hash.digest('hex')}"` },
    traits: traitsOfCopy(call, source),
    ...lockOfWrite(call, bucket),
  });
  return answerXml(
    'CopyObjectResult',
    [
      ['LastModified', isoTime(version.modifiedAtMs)],
      ['ETag', version.etag],
    ],
    { ...writtenHeaders(bucket, version), 'x-amz-copy-source-version-id': source.versionId },
  );
}

/** The version that `x-amz-copy-source` names, which the user may read, and which can be read now. */
export function copySource(call: Call): Version {
  const [path = '', query = ''] = (header(call, 'x-amz-copy-source') ?? '').split('?');
  const match = /^\/?([^/]+)\/(.+)$/s.exec(decodeURIComponent(path));
  if (match === null)
    throw new S3Error('InvalidArgument', 'Copy Source must mention the source bucket and key');
  const versionId = new URLSearchParams(query).get('versionId');
  requireRight(call.user, versionId === null ? 'GetObject' : 'GetObjectVersion');
  const source = findVersion(findBucket(call.world, match[1]!), match[2]!, versionId);
  requireReadable(source, call.world.now());
  const ifMatch = header(call, 'x-amz-copy-source-if-match');
  if (ifMatch !== null && ifMatch.replaceAll('"', '') !== source.etag.replaceAll('"', '')) {
    throw new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  }
  return source;
}

function refuseIdleCopy(call: Call, bucket: Bucket, source: Version): void {
  const isItself = currentVersion(bucket, call.key) === source;
  const changes = ['x-amz-metadata-directive', 'x-amz-storage-class', 'x-amz-server-side-encryption'];
  if (!isItself || changes.some((name) => header(call, name) !== null)) return;
  throw new S3Error(
    'InvalidRequest',
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  );
}

function versionHeader(bucket: Bucket, { versionId }: Version): Record<string, string> {
  return bucket.versioning === null ? {} : { 'x-amz-version-id': versionId };
}

export function checksumHeaders({ traits }: Pick<Version, 'traits'>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(traits.checksums).flatMap(([algorithm, value]) => [
      [`x-amz-checksum-${algorithm}`, value],
      ['x-amz-checksum-type', value.includes('-') ? 'COMPOSITE' : 'FULL_OBJECT'],
    ]),
  ) as Record<string, string>;
}
