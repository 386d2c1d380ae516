import { type Answer, answerXml, type Call, isoTime } from './call.ts';
import { etagOf, findUpload } from './multipart.ts';
import { S3Error } from './s3-error.ts';
import { encodeStrictly } from './signature.ts';
import { findBucket, sortedKeys, sortUtf8, type Upload, type Version } from './world.ts';
import type { Element } from './xml.ts';

const MAX_KEYS = 1000;
const OWNER: Element = [
  'Owner',
  [
    ['ID', 'owner'],
    ['DisplayName', 'owner'],
  ],
];

/** What all listings share: which names they show, how many at a time, and how they write them. */
interface Page {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly encode: (text: string) => string;
}

export function listObjects(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const shown = bucket.staleObjects ?? bucket.objects;
  const page = readPage(call, 'max-keys');
  const token = call.query.get('continuation-token');
  const after = token === null ? (call.query.get('start-after') ?? '') : readToken(token);
  const keys = sortedKeys(shown).filter((key) => shown.get(key)?.[0]?.isMarker === false);
  const { entries, prefixes, last, isTruncated } = takePage(keys, page, after);
  return answerXml('ListBucketResult', [
    ['Name', bucket.name],
    ['Prefix', page.encode(page.prefix)],
    ['StartAfter', call.query.has('start-after') ? page.encode(call.query.get('start-after')!) : null],
    ['ContinuationToken', token],
    ['NextContinuationToken', isTruncated ? Buffer.from(last).toString('base64url') : null],
    ['KeyCount', entries.length + prefixes.length],
    ...pageElements(page, 'MaxKeys', isTruncated, call),
    ...entries.map((key): Element => ['Contents', objectElements(page, shown.get(key)![0]!)]),
    ...prefixElements(page, prefixes),
  ]);
}

export function listVersions(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const shown = bucket.staleObjects ?? bucket.objects;
  const page = readPage(call, 'max-keys');
  const keyMarker = call.query.get('key-marker') ?? '';
  const versionMarker = call.query.get('version-id-marker') ?? '';
  // Every version has a name of its own that sorts after those of the key before: the place in a page.
  const places = new Map<string, Version>();
  for (const key of sortedKeys(shown)) {
    shown.get(key)!.forEach((version, i) => {
      places.set(`${key}\0${String(i).padStart(9, '0')}`, version);
    });
  }
  const isAfter = placeTest(shown, keyMarker, versionMarker);
  const left = [...places.keys()].filter(isAfter);
  const { entries, prefixes, last, isTruncated } = takePage(left, page, keyMarker);
  const lastVersion = places.get(last);
  return answerXml('ListVersionsResult', [
    ['Name', bucket.name],
    ['Prefix', page.encode(page.prefix)],
    ['KeyMarker', page.encode(keyMarker)],
    ['VersionIdMarker', versionMarker],
    ['NextKeyMarker', isTruncated ? page.encode(lastVersion?.key ?? last) : null],
    ['NextVersionIdMarker', isTruncated ? (lastVersion?.versionId ?? null) : null],
    ...pageElements(page, 'MaxKeys', isTruncated, call),
    ...entries.map((place) => versionElement(page, shown, places.get(place)!)),
    ...prefixElements(page, prefixes),
  ]);
}

/** Whether a place (key, NUL, number) comes after the markers. */
function placeTest(
  shown: ReadonlyMap<string, readonly Version[]>,
  keyMarker: string,
  versionMarker: string,
): (place: string) => boolean {
  const index = (shown.get(keyMarker) ?? []).findIndex(({ versionId }) => versionId === versionMarker);
  const marker = Buffer.from(keyMarker);
  return (place) => {
    const nul = place.lastIndexOf('\0');
    const order = Buffer.compare(Buffer.from(place.slice(0, nul)), marker);
    if (keyMarker === '' || order > 0) return true;
    return order === 0 && versionMarker !== '' && Number(place.slice(nul + 1)) > index;
  };
}

function versionElement(
  page: Page,
  shown: ReadonlyMap<string, readonly Version[]>,
  version: Version,
): Element {
  const isLatest: Element = ['IsLatest', shown.get(version.key)![0] === version];
  const id: Element = ['VersionId', version.versionId];
  if (!version.isMarker) return ['Version', [...objectElements(page, version), id, isLatest, OWNER]];
  const modified: Element = ['LastModified', isoTime(version.modifiedAtMs)];
  return ['DeleteMarker', [['Key', page.encode(version.key)], id, isLatest, modified, OWNER]];
}

function objectElements(page: Page, version: Version): Element[] {
  const algorithm = Object.keys(version.traits.checksums)[0];
  return [
    ['Key', page.encode(version.key)],
    ['LastModified', isoTime(version.modifiedAtMs)],
    ['ETag', version.etag],
    ['ChecksumAlgorithm', algorithm?.toUpperCase() ?? null],
    ['Size', version.sizeBytes],
    ['StorageClass', version.traits.storageClass],
  ];
}

export function listUploads(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const page = readPage(call, 'max-uploads');
  const keyMarker = call.query.get('key-marker') ?? '';
  const idMarker = call.query.get('upload-id-marker') ?? '';
  const ordered = sortUploads([...bucket.uploads.values()]);
  const names = ordered.map((upload, i) => `${upload.key}\0${String(i).padStart(9, '0')}`);
  const markerAt = ordered.findIndex(({ key, id }) => key === keyMarker && id === idMarker);
  const marker = Buffer.from(keyMarker);
  const left = names.filter((_, i) => {
    const order = Buffer.compare(Buffer.from(ordered[i]!.key), marker);
    if (keyMarker === '' || order > 0) return true;
    return order === 0 && markerAt >= 0 && i > markerAt;
  });
  const uploadAt = (name: string): Upload | undefined =>
    ordered[Number(name.slice(name.lastIndexOf('\0') + 1))];
  const { entries, prefixes, last, isTruncated } = takePage(left, page, keyMarker);
  return answerXml('ListMultipartUploadsResult', [
    ['Bucket', bucket.name],
    ['KeyMarker', page.encode(keyMarker)],
    ['UploadIdMarker', idMarker],
    ['NextKeyMarker', isTruncated ? page.encode(last.includes('\0') ? uploadAt(last)!.key : last) : null],
    ['NextUploadIdMarker', isTruncated && last.includes('\0') ? uploadAt(last)!.id : null],
    ['Prefix', page.encode(page.prefix)],
    ...pageElements(page, 'MaxUploads', isTruncated, call),
    ...entries.map((name): Element => {
      const { id, key, startedAtMs, traits } = uploadAt(name)!;
      return [
        'Upload',
        [
          ['Key', page.encode(key)],
          ['UploadId', id],
          OWNER,
          ['StorageClass', traits.storageClass],
          ['Initiated', isoTime(startedAtMs)],
        ],
      ];
    }),
    ...prefixElements(page, prefixes),
  ]);
}

function sortUploads(uploads: readonly Upload[]): Upload[] {
  const keys = sortUtf8([...new Set(uploads.map(({ key }) => key))]);
  const order = new Map(keys.map((key, i) => [key, i]));
  return [...uploads].sort((a, b) => order.get(a.key)! - order.get(b.key)! || a.startedAtMs - b.startedAtMs);
}

export function listParts(call: Call): Answer {
  const upload = findUpload(call);
  const maxParts = readCount(call, 'max-parts');
  const marker = Number(call.query.get('part-number-marker') ?? 0);
  const left = [...upload.parts.values()]
    .filter(({ number }) => number > marker)
    .sort((a, b) => a.number - b.number);
  const shown = left.slice(0, maxParts);
  return answerXml('ListPartsResult', [
    ['Bucket', call.bucketName],
    ['Key', upload.key],
    ['UploadId', upload.id],
    OWNER,
    ['StorageClass', upload.traits.storageClass],
    ['PartNumberMarker', marker],
    ['NextPartNumberMarker', shown.at(-1)?.number ?? 0],
    ['MaxParts', maxParts],
    ['IsTruncated', shown.length < left.length],
    ...shown.map((part): Element => {
      const sums = Object.entries(part.checksums).map(
        ([name, value]): Element => [`Checksum${name.toUpperCase()}`, value],
      );
      return [
        'Part',
        [
          ['PartNumber', part.number],
          ['LastModified', isoTime(part.modifiedAtMs)],
          ['ETag', etagOf(part.md5)],
          ['Size', part.sizeBytes],
          ...sums,
        ],
      ];
    }),
  ]);
}

function readPage(call: Call, countName: string): Page {
  const encoding = call.query.get('encoding-type');
  if (encoding !== null && encoding !== 'url')
    throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request');
  return {
    prefix: call.query.get('prefix') ?? '',
    delimiter: call.query.get('delimiter') ?? '',
    maxKeys: readCount(call, countName),
    encode: encoding === null ? (text) => text : (text) => encodeStrictly(text).replaceAll('%2F', '/'),
  };
}

function readCount(call: Call, name: string): number {
  const count = Number(call.query.get(name) ?? MAX_KEYS);
  if (!Number.isInteger(count) || count < 0)
    throw new S3Error('InvalidArgument', `Provided ${name} not an integer or within integer range`);
  return Math.min(count, MAX_KEYS);
}

/**
 * The next names after `after`, those with the delimiter after the prefix told as one. `last` is where the next page
 * starts from: a name, or all that begin with a common prefix.
 */
function takePage(
  names: readonly string[],
  { prefix, delimiter, maxKeys }: Page,
  after: string,
): { entries: string[]; prefixes: string[]; last: string; isTruncated: boolean } {
  const entries: string[] = [];
  const prefixes: string[] = [];
  const start = Buffer.from(after);
  let last = '';
  for (const name of names) {
    if (!name.startsWith(prefix) || Buffer.compare(Buffer.from(name), start) <= 0) continue;
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
    const common = cut < 0 ? null : name.slice(0, cut + delimiter.length);
    // A page that ended with a common prefix goes on after all that it stands for.
    if (common !== null && (common === prefixes.at(-1) || common === after)) continue;
    if (entries.length + prefixes.length >= maxKeys)
      return { entries, prefixes, last, isTruncated: maxKeys > 0 };
    if (common === null) entries.push(name);
    else prefixes.push(common);
    last = common ?? name;
  }
  return { entries, prefixes, last, isTruncated: false };
}

function pageElements(page: Page, countName: string, isTruncated: boolean, call: Call): Element[] {
  return [
    ['Delimiter', page.delimiter === '' ? null : page.encode(page.delimiter)],
    ['EncodingType', call.query.get('encoding-type')],
    [countName, page.maxKeys],
    ['IsTruncated', isTruncated],
  ];
}

function prefixElements(page: Page, prefixes: readonly string[]): Element[] {
  return prefixes.map((prefix): Element => ['CommonPrefixes', [['Prefix', page.encode(prefix)]]]);
}

function readToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (Buffer.from(text).toString('base64url') === token) return text;
  throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
}
