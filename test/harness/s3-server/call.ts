import type { IncomingHttpHeaders } from 'node:http';
import type { Payload } from './payload.ts';
import { S3Error } from './s3-error.ts';
import type { Content, User, World } from './world.ts';
import { type Element, writeXml } from './xml.ts';

/** One request, signed by somebody with the right to it, its body whole and checked. */
export interface Call {
  readonly world: World;
  readonly user: User;
  readonly bucketName: string;
  /** Empty where the request is for a bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly payload: Payload;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Content;
}

export type Handler = (call: Call) => Answer;

const EMPTY: Content = { pieces: [], sizeBytes: 0 };

export function answer(
  status: number,
  headers: Readonly<Record<string, string>> = {},
  content: Content = EMPTY,
): Answer {
  return { status, headers, content };
}

export function answerXml(
  root: string,
  content: readonly Element[],
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const bytes = Buffer.from(writeXml(root, content));
  return answer(
    200,
    { 'content-type': 'application/xml', ...headers },
    { pieces: [bytes], sizeBytes: bytes.length },
  );
}

export function header(call: Call, name: string): string | null {
  const value = call.headers[name];
  return value === undefined ? null : String(value);
}

/** Refuses a user who lacks the right, named as in a policy without `s3:`. */
export function requireRight(user: User, right: string): void {
  if (user.denied.has(right)) {
    throw new S3Error('AccessDenied', `User is not authorized to perform: s3:${right}`);
  }
}

export function bodyText(call: Call): string {
  return call.payload.body.toString('utf8');
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
