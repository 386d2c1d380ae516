import { type Refusal, refusal } from './request.ts';

const MOST_FORM_BYTES = 64 * 1024;

/** Reads a form, no further than it may be long. */
export async function readForm(
  request: Request,
  mostBytes = MOST_FORM_BYTES,
): Promise<URLSearchParams | Refusal> {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  const tooLong = refusal(413, `more than ${mostBytes} bytes were sent`, 'send less');
  if (Number(request.headers.get('content-length') ?? 0) > mostBytes) return tooLong;
  const body = await readBounded(request, mostBytes);
  if (body === 'too long') return tooLong;
  if (body === 'cut off') return refusal(400, 'what was sent ended early', 'send it again');
  if (body.length === 0) return new URLSearchParams();
  if (type !== 'application/x-www-form-urlencoded') {
    return refusal(415, 'this takes forms only', 'send it as application/x-www-form-urlencoded');
  }
  return new URLSearchParams(body.toString('utf8'));
}

async function readBounded({ body }: Request, mostBytes: number): Promise<Buffer | 'too long' | 'cut off'> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (body === null) return Buffer.alloc(0);
  try {
    // Leaving the loop ends the stream.
    for await (const part of body) {
      bytes += part.length;
      if (bytes > mostBytes) return 'too long';
      parts.push(part);
    }
  } catch {
    // Whoever sent it has gone, or took too long and was let go of.
    return 'cut off';
  }
  return Buffer.concat(parts);
}
