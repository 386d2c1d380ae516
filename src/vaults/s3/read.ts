import type { GetObjectCommandInput, GetObjectCommandOutput, S3 } from '@aws-sdk/client-s3';
import { BackupError } from '../../core/errors.ts';
import { assertRangeInside } from '../../core/object-range.ts';
import { ask, type Connection } from './connection.ts';
import { nameOf, statusOf } from './errors.ts';

/** What is read: an object, or a version of one. */
export interface Readable {
  readonly name: string;
  readonly request: Pick<GetObjectCommandInput, 'Bucket' | 'Key' | 'VersionId'>;
  /** Null when there is no such object. */
  readonly size: () => Promise<number | null>;
  readonly missing: () => BackupError;
}

interface Reading {
  readonly offset: number;
  readonly length: number;
  /** Null until the server said that there are so many. */
  bytes: Uint8Array | null;
  done: number;
  /** What the bytes so far are of. */
  etag: string | undefined;
}

/** Exactly those bytes, in memory of their own. An answer that breaks off is taken up where it did. */
export async function readRange(
  connection: Connection,
  readable: Readable,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const { name } = readable;
  assertRangeInside(name, Number.POSITIVE_INFINITY, offset, length);
  if (length === 0) return readNothing(readable, offset);
  const reading: Reading = { offset, length, bytes: null, done: 0, etag: undefined };
  return ask(connection, `read "${name}" in ${connection.at.text}`, async (abortSignal) => {
    try {
      return await readOn(connection.s3, readable, reading, abortSignal);
    } catch (error) {
      if (['NoSuchKey', 'NoSuchVersion'].includes(nameOf(error))) throw readable.missing();
      if (statusOf(error) === 416) throw await behindTheEnd(readable, reading);
      throw error;
    }
  });
}

/** A server cannot be asked for no bytes. */
async function readNothing({ name, size, missing }: Readable, offset: number): Promise<Uint8Array> {
  const sizeBytes = await size();
  if (sizeBytes === null) throw missing();
  assertRangeInside(name, sizeBytes, offset, 0);
  return new Uint8Array(0);
}

async function behindTheEnd(
  { name, size, missing }: Readable,
  { offset, length }: Reading,
): Promise<unknown> {
  const sizeBytes = await size();
  if (sizeBytes === null) return missing();
  assertRangeInside(name, sizeBytes, offset, length);
  return new BackupError('vault_unreachable', `object "${name}" changed while it was read`);
}

async function readOn(
  s3: S3,
  { name, request }: Readable,
  reading: Reading,
  abortSignal: AbortSignal,
): Promise<Uint8Array> {
  const from = reading.offset + reading.done;
  const to = Math.min(reading.offset + reading.length - 1, Number.MAX_SAFE_INTEGER);
  const got = await s3.getObject({ ...request, Range: `bytes=${from}-${to}` }, { abortSignal });
  const body = got.Body as unknown as AsyncIterable<Uint8Array> & { destroy(): void };
  try {
    return await receive(name, got, body, reading, from);
  } finally {
    body.destroy(); // Else a connection with an answer that nobody wants any more would never be free again.
  }
}

async function receive(
  name: string,
  got: GetObjectCommandOutput,
  body: AsyncIterable<Uint8Array>,
  reading: Reading,
  from: number,
): Promise<Uint8Array> {
  const { offset, length } = reading;
  assertRangeInside(name, totalOf(got, name, from), offset, length);
  if (reading.done > 0 && got.ETag !== reading.etag) {
    reading.done = 0;
    throw brokenOff();
  }
  reading.etag = got.ETag;
  reading.bytes ??= new Uint8Array(length);
  for await (const chunk of body) {
    if (reading.done + chunk.length > length) throw brokenOff();
    reading.bytes.set(chunk, reading.done);
    reading.done += chunk.length;
  }
  if (reading.done < length) throw brokenOff();
  return reading.bytes;
}

/** The size of the whole object. */
function totalOf(
  { ContentRange, ContentLength }: GetObjectCommandOutput,
  name: string,
  from: number,
): number {
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange ?? '');
  if (range !== null && Number(range[1]) === from) return Number(range[2]);
  if (range === null && from === 0 && ContentLength !== undefined) return ContentLength;
  throw new BackupError('vault_refused', `the server gave other bytes of "${name}" than it was asked for`, {
    hint: 'it does not know ranges: docs/s3.md says which servers are known to work',
  });
}

/** As a connection would say it: worth another attempt. */
function brokenOff(): Error {
  return Object.assign(new Error('the answer broke off'), { name: 'TimeoutError' });
}
