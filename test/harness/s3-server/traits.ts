import type { IncomingHttpHeaders } from 'node:http';
import { storageClassOf } from './archive.ts';
import { type Call, header } from './call.ts';
import { S3Error } from './s3-error.ts';
import type { Traits, Version } from './world.ts';

const KEPT = [
  'content-type',
  'content-encoding',
  'content-disposition',
  'content-language',
  'cache-control',
  'expires',
];
const ENCRYPTION = 'x-amz-server-side-encryption';
const ENCRYPTION_ALGORITHMS = ['AES256', 'aws:kms', 'aws:kms:dsse'];

/** What a write says of the object, to be said again by every read. */
export function traitsOfWrite(call: Call, checksums: Traits['checksums']): Traits {
  const headers = { ...describing(call.headers), ...encryptionHeaders(call) };
  return { headers, storageClass: storageClassOf(call), checksums };
}

/** A copy keeps what describes its source unless told otherwise; its class and encryption are the request's. */
export function traitsOfCopy(call: Call, source: Version): Traits {
  const isReplaced = header(call, 'x-amz-metadata-directive') === 'REPLACE';
  const described = isReplaced ? describing(call.headers) : describing(source.traits.headers);
  const whole = Object.entries(source.traits.checksums).filter(([, value]) => !value.includes('-'));
  return {
    headers: { ...described, ...encryptionHeaders(call) },
    storageClass: storageClassOf(call),
    checksums: Object.fromEntries(whole),
  };
}

export function encryptionOf({ headers }: Traits): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(ENCRYPTION)));
}

function describing(headers: IncomingHttpHeaders): Record<string, string> {
  const found = Object.entries(headers).filter(
    ([name]) => KEPT.includes(name) || name.startsWith('x-amz-meta-'),
  );
  const kept = Object.fromEntries(found.map(([name, value]) => [name, String(value)]));
  // The framing of the upload is no encoding of the object.
  const encoding = (kept['content-encoding'] ?? '')
    .split(',')
    .filter((part) => part.trim() !== 'aws-chunked');
  delete kept['content-encoding'];
  return {
    'content-type': 'binary/octet-stream',
    ...kept,
    ...(encoding.join(',') === '' ? {} : { 'content-encoding': encoding.join(',') }),
  };
}

/** Everything in S3 is encrypted; the request says only how. */
function encryptionHeaders(call: Call): Record<string, string> {
  const given = Object.entries(call.headers).filter(([name]) => name.startsWith(ENCRYPTION));
  const named = Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
  const algorithm = named[ENCRYPTION] ?? 'AES256';
  if (Object.keys(named).some((name) => name.startsWith(`${ENCRYPTION}-customer-`))) {
    throw new S3Error('NotImplemented', 'no keys of customers here');
  }
  if (!ENCRYPTION_ALGORITHMS.includes(algorithm)) {
    throw new S3Error('InvalidArgument', 'The encryption method specified is not supported');
  }
  return { ...named, [ENCRYPTION]: algorithm };
}
