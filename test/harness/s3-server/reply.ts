import crypto from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Answer } from './call.ts';
import { type Fault, faultNumber } from './faults.ts';
import type { S3Error } from './s3-error.ts';
import { slicePieces } from './world.ts';
import { writeXml } from './xml.ts';

const BODILESS_STATUS = [204, 304];
const WRITTEN_BYTES = 1 << 20;

/** S3's document for a refusal. */
export function refusal(error: S3Error, resource: string): Answer {
  return errorAnswer(error.status, error.code, error.message, resource, error);
}

/** What a fault says S3 answers. */
export function faultAnswer(fault: Extract<Fault, { status: number }>, resource: string): Answer {
  return errorAnswer(fault.status, fault.code, MESSAGES[fault.code] ?? fault.code, resource, {
    facts: {},
    headers: fault.headers ?? {},
  });
}

const MESSAGES: Readonly<Record<string, string>> = {
  SlowDown: 'Please reduce your request rate.',
  InternalError: 'We encountered an internal error. Please try again.',
  ServiceUnavailable: 'Service is unable to handle request.',
  AccessDenied: 'Access Denied',
  ExpiredToken: 'The provided token has expired.',
  RequestTimeout:
    'Your socket connection to the server was not read from or written to within the timeout period.',
};

function errorAnswer(
  status: number,
  code: string,
  message: string,
  resource: string,
  { facts, headers }: Pick<S3Error, 'facts' | 'headers'>,
): Answer {
  const document = writeXml(
    'Error',
    [
      ['Code', code],
      ['Message', message],
      ...Object.entries(facts),
      ['Resource', resource],
      ['RequestId', requestId()],
      ['HostId', 'in-process'],
    ],
    '',
  );
  const bytes = Buffer.from(document);
  return {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    content: { pieces: [bytes], sizeBytes: bytes.length },
  };
}

/** Sends the answer, or as much of it as the fault lets through. Returns the bytes of the body that went. */
export async function sendAnswer(
  response: ServerResponse,
  { status, headers, content }: Answer,
  { isHead, fault, nowMs }: { isHead: boolean; fault: Fault | null; nowMs: number },
): Promise<number> {
  const hasBody = !isHead && !BODILESS_STATUS.includes(status);
  response.writeHead(status, {
    'x-amz-request-id': requestId(),
    date: new Date(nowMs).toUTCString(),
    server: 'in-process',
    ...headers,
    ...(BODILESS_STATUS.includes(status) ? {} : { 'content-length': String(content.sizeBytes) }),
  });
  if (!hasBody) {
    response.end();
    return 0;
  }
  const cutAfter = faultNumber(fault, 'cutBodyAfterBytes');
  const goes = Math.min(content.sizeBytes, cutAfter ?? content.sizeBytes);
  await writePieces(response, flip(slicePieces(content, 0, goes), faultNumber(fault, 'flipBodyByte')));
  if (cutAfter === null) response.end();
  else response.destroy();
  return goes;
}

async function writePieces(response: ServerResponse, pieces: readonly Buffer[]): Promise<void> {
  const closed = once(response, 'close');
  for (const piece of pieces) {
    for (let at = 0; at < piece.length && !response.destroyed; at += WRITTEN_BYTES) {
      const { promise, resolve } = Promise.withResolvers<void>();
      // Called when the bytes are with the system; never, when the client has gone.
      response.write(piece.subarray(at, at + WRITTEN_BYTES), () => resolve());
      await Promise.race([promise, closed]);
    }
  }
}

function flip(pieces: Buffer[], place: number | null): Buffer[] {
  if (place === null) return pieces;
  const bytes = Buffer.concat(pieces);
  if (place < bytes.length) bytes[place]! ^= 1;
  return [bytes];
}

function requestId(): string {
  return crypto.randomBytes(8).toString('hex').toUpperCase();
}
