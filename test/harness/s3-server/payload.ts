import crypto from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { S3Error } from './s3-error.ts';

/** More than one request of these tests ever carries. */
const MAX_BODY_BYTES = 512 << 20;
const TRAILED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
const ALGORITHMS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  crc32: (bytes) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(bytes));
    return sum;
  },
  sha1: (bytes) => crypto.hash('sha1', bytes, 'buffer'),
  sha256: (bytes) => crypto.hash('sha256', bytes, 'buffer'),
};

export interface Payload {
  readonly body: Buffer;
  readonly md5: Buffer;
  /** Those that the client gave, and that are right. */
  readonly checksums: Readonly<Record<string, string>>;
  /** The client gave a digest of any kind. */
  readonly isProtected: boolean;
}

/** The bytes as they came. `onBytes` may throw, to end the reading there. */
export async function readBody(
  request: IncomingMessage,
  onBytes: (totalBytes: number) => void,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    onBytes(length);
    if (length > MAX_BODY_BYTES)
      throw new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum');
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
}

/** What the body says once its framing is off, checked against everything that the request says of it. */
export function openPayload(headers: IncomingHttpHeaders, raw: Buffer, checksChecksums: boolean): Payload {
  const signedHash = String(headers['x-amz-content-sha256'] ?? '');
  const { body, trailers } =
    signedHash === TRAILED ? unchunk(headers, raw) : { body: raw, trailers: new Map<string, string>() };
  checkContentHash(signedHash, body);
  const md5 = crypto.hash('md5', body, 'buffer');
  const givenMd5 = headers['content-md5'];
  if (givenMd5 !== undefined) checkMd5(String(givenMd5), md5);
  const given = { ...checksumsIn(headers), ...Object.fromEntries(trailers) };
  const checksums = checksChecksums ? checkChecksums(given, body) : {};
  return { body, md5, checksums, isProtected: givenMd5 !== undefined || Object.keys(given).length > 0 };
}

function checkContentHash(signedHash: string, body: Buffer): void {
  if (signedHash === 'UNSIGNED-PAYLOAD' || signedHash === TRAILED) return;
  if (signedHash.startsWith('STREAMING-')) {
    throw new S3Error(
      'NotImplemented',
      `The body is signed as ${signedHash}, which this server does not read`,
    );
  }
  if (!/^[0-9a-f]{64}$/.test(signedHash)) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  if (crypto.hash('sha256', body) === signedHash) return;
  throw new S3Error(
    'XAmzContentSHA256Mismatch',
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  );
}

function checkMd5(given: string, md5: Buffer): void {
  const bytes = Buffer.from(given, 'base64');
  if (bytes.length !== 16) throw new S3Error('InvalidDigest', 'The Content-MD5 you specified was invalid.');
  if (!bytes.equals(md5)) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
}

function checksumsIn(headers: IncomingHttpHeaders): Record<string, string> {
  const found = Object.entries(headers).flatMap(([name, value]) => {
    const algorithm = /^x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)$/.exec(name)?.[1];
    return algorithm === undefined ? [] : [[algorithm, String(value)]];
  });
  return Object.fromEntries(found) as Record<string, string>;
}

function checkChecksums(given: Readonly<Record<string, string>>, body: Buffer): Record<string, string> {
  for (const [algorithm, value] of Object.entries(given)) {
    const compute = ALGORITHMS[algorithm];
    if (compute === undefined) throw new S3Error('NotImplemented', `no ${algorithm} here`);
    if (compute(body).toString('base64') !== value) {
      throw new S3Error(
        'BadDigest',
        `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
      );
    }
  }
  return given;
}

/** Over the checksums of the parts, as S3 has it for objects that came in parts. */
export function combineChecksums(algorithm: string, parts: readonly string[]): string {
  const all = Buffer.concat(parts.map((part) => Buffer.from(part, 'base64')));
  return `${ALGORITHMS[algorithm]!(all).toString('base64')}-${parts.length}`;
}

/** Takes off `aws-chunked`: chunks with their length in front, an empty one, then trailers. */
function unchunk(headers: IncomingHttpHeaders, raw: Buffer): { body: Buffer; trailers: Map<string, string> } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at);
    const length = lineEnd < 0 ? Number.NaN : Number.parseInt(raw.toString('latin1', at, lineEnd), 16);
    if (!(length >= 0) || lineEnd + 2 + length > raw.length) throw incomplete();
    at = lineEnd + 2;
    if (length === 0) break;
    parts.push(raw.subarray(at, at + length));
    if (raw.toString('latin1', at + length, at + length + 2) !== '\r\n') throw incomplete();
    at += length + 2;
  }
  const body = Buffer.concat(parts);
  if (body.length !== Number(headers['x-amz-decoded-content-length'])) throw incomplete();
  return { body, trailers: readTrailers(headers, raw.toString('latin1', at)) };
}

function readTrailers(headers: IncomingHttpHeaders, text: string): Map<string, string> {
  const trailers = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const match = /^(x-amz-checksum-([a-z0-9]+)): *(\S+)$/.exec(line);
    if (match !== null && match[1] === headers['x-amz-trailer']) trailers.set(match[2]!, match[3]!);
  }
  if (trailers.size === 0) throw new S3Error('InvalidRequest', 'The announced trailer did not come.');
  return trailers;
}

function incomplete(): S3Error {
  return new S3Error(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  );
}
