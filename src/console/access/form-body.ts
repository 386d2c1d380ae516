import { type Refusal, refusal } from './request.ts';

export const MOST_FORM_BYTES = 64 * 1024;

/** Reads a form, no further than it may be long. */
export async function readForm(request: Request): Promise<URLSearchParams | Refusal> {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  const tooLong = refusal(413, `more than ${MOST_FORM_BYTES} bytes were sent`, 'send less');
  if (Number(request.headers.get('content-length') ?? 0) > MOST_FORM_BYTES) return tooLong;
  const body = await readBounded(request);
  if (body === null) return tooLong;
  if (body.length === 0) return new URLSearchParams();
  if (type !== 'application/x-www-form-urlencoded') {
    return refusal(415, 'this takes forms only', 'send it as application/x-www-form-urlencoded');
  }
  return new URLSearchParams(body.toString('utf8'));
}

/** Null: it is longer than it may be. */
async function readBounded({ body }: Request): Promise<Buffer | null> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (body === null) return Buffer.alloc(0);
  // Leaving the loop ends the stream.
  for await (const part of body) {
    bytes += part.length;
    if (bytes > MOST_FORM_BYTES) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
