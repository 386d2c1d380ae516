import crypto from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { S3Error } from './s3-error.ts';
import type { User } from './world.ts';

export interface SignedRequest {
  readonly method: string;
  /** As it stands in the request line, without the query. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

const MAX_SKEW_MS = 15 * 60_000;
const REQUIRED_HEADERS = ['host', 'x-amz-date'];

/** Who signed the request, by AWS signature version 4 in its header form. */
export function findSigner(request: SignedRequest, users: ReadonlyMap<string, User>, nowMs: number): User {
  const claim = readAuthorization(request.headers.authorization);
  const user = users.get(claim.accessKeyId);
  if (user === undefined) {
    throw new S3Error(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    );
  }
  checkTime(request.headers, claim.date, nowMs);
  if (!isSame(sign(request, claim, user.secretAccessKey), claim.signature)) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { facts: { AWSAccessKeyId: claim.accessKeyId } },
    );
  }
  checkSession(request.headers, user, nowMs);
  return user;
}

interface Claim {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

function readAuthorization(header: string | undefined): Claim {
  if (header === undefined) throw new S3Error('AccessDenied', 'Access Denied');
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/s3\/aws4_request, *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (match === null) {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      'The authorization header that you provided is not valid.',
    );
  }
  const [, accessKeyId, date, region, signedHeaders, signature] = match as unknown as string[];
  const names = signedHeaders!.split(';');
  return {
    accessKeyId: accessKeyId!,
    date: date!,
    region: region!,
    signedHeaders: names,
    signature: signature!,
  };
}

function checkTime(headers: IncomingHttpHeaders, scopeDate: string, nowMs: number): void {
  const stamp = String(headers['x-amz-date']);
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp);
  if (match === null || !stamp.startsWith(scopeDate)) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  const [, year, month, day, hour, minute, second] = match;
  const sentMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Math.abs(nowMs - sentMs) <= MAX_SKEW_MS) return;
  throw new S3Error(
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    {
      facts: {
        RequestTime: stamp,
        ServerTime: new Date(nowMs).toISOString(),
        MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
      },
    },
  );
}

function sign(request: SignedRequest, claim: Claim, secret: string): string {
  for (const name of [...REQUIRED_HEADERS, ...amzHeaders(request.headers)]) {
    if (!claim.signedHeaders.includes(name)) {
      throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
        facts: { HeadersNotSigned: name },
      });
    }
  }
  const scope = `${claim.date}/${claim.region}/s3/aws4_request`;
  const text = [
    'AWS4-HMAC-SHA256',
    request.headers['x-amz-date'],
    scope,
    sha256Hex(canonicalRequest(request, claim.signedHeaders)),
  ].join('\n');
  const key = [claim.date, claim.region, 's3', 'aws4_request'].reduce<Buffer>(
    hmac,
    Buffer.from(`AWS4${secret}`),
  );
  return hmac(key, text).toString('hex');
}

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string {
  const path = request.rawPath.split('/').map((part) => encodeStrictly(decodeURIComponent(part)));
  const pairs = [...request.query].map(
    ([name, value]) => [encodeStrictly(name), encodeStrictly(value)] as const,
  );
  pairs.sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)));
  const query = pairs.map(([name, value]) => `${name}=${value}`);
  const headers = signedHeaders.map((name) => `${name}:${headerText(request.headers[name])}\n`);
  const payload = headerText(request.headers['x-amz-content-sha256']);
  return [
    request.method,
    path.join('/'),
    query.join('&'),
    headers.join(''),
    signedHeaders.join(';'),
    payload,
  ].join('\n');
}

/** S3 asks for these to be signed wherever they come. */
function amzHeaders(headers: IncomingHttpHeaders): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('x-amz-'));
}

function headerText(value: string | string[] | undefined): string {
  // Node reads header bytes as Latin-1, and clients sign them as UTF-8.
  const text = Buffer.from(String(value ?? ''), 'latin1').toString('utf8');
  return text.trim().replace(/ +/g, ' ');
}

export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function checkSession(headers: IncomingHttpHeaders, user: User, nowMs: number): void {
  const given = headers['x-amz-security-token'];
  if (user.session === null && given === undefined) return;
  if (user.session === null || given !== user.session.token) {
    throw new S3Error('InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  if (nowMs >= user.session.expiresAtMs) throw new S3Error('ExpiredToken', 'The provided token has expired.');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function hmac(key: Buffer, text: string): Buffer {
  return crypto.createHmac('sha256', key).update(text).digest();
}

function sha256Hex(text: string): string {
  return crypto.createHash('sha256').update(text).digest('hex');
}

function isSame(ours: string, theirs: string): boolean {
  return crypto.timingSafeEqual(Buffer.from(ours), Buffer.from(theirs));
}
