import crypto from 'node:crypto';
import { type Answer, answer, answerXml, bodyText, type Call, header, isoTime } from './call.ts';
import { checkWriteConditions } from './conditions.ts';
import { lockOfWrite, requireDigest } from './locks.ts';
import { checksumHeaders, copySource, requireRoom, writtenHeaders } from './objects.ts';
import { combineChecksums } from './payload.ts';
import { S3Error } from './s3-error.ts';
import { encryptionOf, traitsOfWrite } from './traits.ts';
import {
  addVersion,
  type Content,
  findBucket,
  type Part,
  slicePieces,
  type Traits,
  type Upload,
} from './world.ts';
import { malformed, readXml, textOf, type XmlNode } from './xml.ts';

const MAX_PARTS = 10_000;
/** More than any test leaves open. */
const MAX_UPLOADS = 10_000;

export function createUpload(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  requireRoom(call, 0);
  if (bucket.uploads.size >= MAX_UPLOADS) throw new S3Error('InternalError', 'too many open uploads');
  if (header(call, 'x-amz-checksum-type') === 'FULL_OBJECT') {
    throw new S3Error('NotImplemented', 'no checksums of whole uploads here');
  }
  const upload: Upload = {
    ...{ id: crypto.randomBytes(24).toString('base64url'), key: call.key, startedAtMs: call.world.now() },
    traits: traitsOfWrite(call, {}),
    ...lockOfWrite(call, bucket),
    checksumAlgorithm: call.world.settings.ignores.has('checksums')
      ? null
      : (header(call, 'x-amz-checksum-algorithm')?.toLowerCase() ?? null),
    parts: new Map(),
  };
  bucket.uploads.set(upload.id, upload);
  return answerXml(
    'InitiateMultipartUploadResult',
    [
      ['Bucket', bucket.name],
      ['Key', call.key],
      ['UploadId', upload.id],
    ],
    encryptionOf(upload.traits),
  );
}

export function uploadPart(call: Call): Answer {
  const { body, md5, checksums } = call.payload;
  const upload = findUpload(call);
  requireDigest(call, findBucket(call.world, call.bucketName), 'Put Part');
  requireRoom(call, body.length);
  addPart(call, upload, { pieces: [body], sizeBytes: body.length }, md5, checksums);
  const headers = checksumHeaders({ traits: { ...upload.traits, checksums } });
  return answer(200, { etag: etagOf(md5), ...encryptionOf(upload.traits), ...headers });
}

export function copyPart(call: Call): Answer {
  const upload = findUpload(call);
  const source = copySource(call);
  const range = /^bytes=(\d+)-(\d+)$/.exec(header(call, 'x-amz-copy-source-range') ?? 'bytes=0-');
  const from = Number(range?.[1] ?? 0);
  const to = range === null ? source.sizeBytes : Number(range[2]) + 1;
  if (from >= to || to > source.sizeBytes) {
    throw new S3Error('InvalidArgument', 'Range specified is not valid for source object');
  }
  if (to - from > call.world.settings.maxCopyBytes) {
    throw new S3Error(
      'InvalidRequest',
      'The specified copy source is larger than the maximum allowable size for a copy source',
    );
  }
  const pieces = slicePieces(source, from, to);
  const hash = crypto.createHash('md5');
  for (const piece of pieces) hash.update(piece);
  const part = addPart(call, upload, { pieces, sizeBytes: to - from }, hash.digest(), {});
  return answerXml('CopyPartResult', [
    ['LastModified', isoTime(part.modifiedAtMs)],
    ['ETag', etagOf(part.md5)],
  ]);
}

function addPart(
  call: Call,
  upload: Upload,
  content: Content,
  md5: Buffer,
  checksums: Part['checksums'],
): Part {
  const number = Number(call.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS) {
    throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  const part: Part = { number, ...content, md5, checksums, modifiedAtMs: call.world.now() };
  upload.parts.set(number, part);
  return part;
}

export function completeUpload(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const upload = findUpload(call);
  const parts = chosenParts(call, upload);
  checkWriteConditions(call, bucket, 'if-none-match-on-complete');
  const etag = etagOf(crypto.hash('md5', Buffer.concat(parts.map(({ md5 }) => md5)), 'buffer'), parts.length);
  const version = addVersion(call.world, bucket, {
    key: upload.key,
    pieces: parts.flatMap(({ pieces }) => pieces),
    sizeBytes: parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    etag,
    traits: { ...upload.traits, checksums: combined(upload, parts) },
    retention: upload.retention,
    legalHold: upload.legalHold,
  });
  bucket.uploads.delete(upload.id);
  const { checksums } = version.traits;
  return answerXml(
    'CompleteMultipartUploadResult',
    [
      ['Location', `http://${call.headers.host}/${bucket.name}/${upload.key}`],
      ['Bucket', bucket.name],
      ['Key', upload.key],
      ['ETag', etag],
      ...Object.entries(checksums).map(([name, value]) => [`Checksum${name.toUpperCase()}`, value] as const),
    ],
    writtenHeaders(bucket, version),
  );
}

/** The parts that the document names, in its order, which must be theirs. */
function chosenParts(call: Call, upload: Upload): Part[] {
  const document = readXml(bodyText(call), 'CompleteMultipartUpload');
  const named = document.children.filter(({ name }) => name === 'Part');
  if (named.length === 0) throw malformed();
  const parts = named.map((node) => namedPart(upload, node));
  if (parts.some((part, i) => i > 0 && part.number <= parts[i - 1]!.number)) {
    throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  const small = parts.slice(0, -1).find(({ sizeBytes }) => sizeBytes < call.world.settings.minPartBytes);
  if (small !== undefined) {
    throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      facts: { PartNumber: String(small.number), ProposedSize: String(small.sizeBytes) },
    });
  }
  return parts;
}

function namedPart(upload: Upload, node: XmlNode): Part {
  const part = upload.parts.get(Number(textOf(node, 'PartNumber')));
  const etag = textOf(node, 'ETag')?.replaceAll('"', '');
  const algorithm = upload.checksumAlgorithm;
  const checksum = algorithm === null ? null : textOf(node, `Checksum${algorithm.toUpperCase()}`);
  if (part === undefined || etag !== part.md5.toString('hex')) throw invalidPart();
  if (algorithm === null) return part;
  if (checksum === null) {
    throw new S3Error(
      'InvalidRequest',
      `The upload was created using a ${algorithm} checksum. The complete request must include the checksum for each part. It was missing for part ${part.number} in the request.`,
    );
  }
  if (part.checksums[algorithm] !== checksum) throw invalidPart();
  return part;
}

function combined({ checksumAlgorithm: algorithm }: Upload, parts: readonly Part[]): Traits['checksums'] {
  if (algorithm === null) return {};
  return {
    [algorithm]: combineChecksums(
      algorithm,
      parts.map(({ checksums }) => checksums[algorithm]!),
    ),
  };
}

export function abortUpload(call: Call): Answer {
  const upload = findUpload(call);
  findBucket(call.world, call.bucketName).uploads.delete(upload.id);
  return answer(204);
}

/** The upload that a request is about; one of another key does not exist. */
export function findUpload(call: Call): Upload {
  const upload = findBucket(call.world, call.bucketName).uploads.get(call.query.get('uploadId') ?? '');
  if (upload !== undefined && upload.key === call.key) return upload;
  throw new S3Error(
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
  );
}

export function etagOf(md5: Buffer, parts: number | null = null): string {
  return `"${md5.toString('hex')}${parts === null ? '' : `-${parts}`}"`;
}

function invalidPart(): S3Error {
  return new S3Error(
    'InvalidPart',
    'One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part’s entity tag.',
  );
}
