/** A payload as far as it is kept to be looked at. */
export interface KeptPayload {
  /** The first bytes. */
  readonly bytes: Uint8Array;
  /** Of all of it; null: there is none (SQL NULL). */
  readonly length: number | null;
  /** Over all of it. */
  readonly digest: string;
}

/** Where two payloads part. Nothing of what is in them, but for excerpts where somebody asked for these. */
export interface PayloadDiff {
  /** In bytes; null: there is none. */
  readonly pastBytes: number | null;
  readonly liveBytes: number | null;
  /** The first byte that differs; null where it lies behind the first `comparedBytes`, or one side has no payload. */
  readonly firstDifference: number | null;
  readonly comparedBytes: number;
  readonly pastExcerpt?: string;
  readonly liveExcerpt?: string;
}

/** Null where the two are the same. */
export function diffPayloads(
  past: KeptPayload,
  live: KeptPayload,
  withExcerpts: boolean,
): PayloadDiff | null {
  if (past.length === live.length && past.digest === live.digest) return null;
  const comparedBytes = Math.min(past.bytes.length, live.bytes.length);
  const at = past.length === null || live.length === null ? null : firstDifference(past, live, comparedBytes);
  const from = at ?? 0;
  return {
    ...{ pastBytes: past.length, liveBytes: live.length, firstDifference: at, comparedBytes },
    ...(withExcerpts ? { pastExcerpt: excerpt(past, from), liveExcerpt: excerpt(live, from) } : {}),
  };
}

function firstDifference(past: KeptPayload, live: KeptPayload, comparedBytes: number): number | null {
  for (let at = 0; at < comparedBytes; at += 1) if (past.bytes[at] !== live.bytes[at]) return at;
  // One of them ends here, and the other goes on.
  const isEnd = past.length === comparedBytes || live.length === comparedBytes;
  return isEnd ? comparedBytes : null;
}

const BYTES_BEFORE = 24;
const EXCERPT_BYTES = 80;
const MARK = '…';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The bytes around a place as text, cut between characters where it can be. */
export function excerpt({ bytes, length }: KeptPayload, at: number): string {
  if (length === null) return '';
  const start = startOfSign(bytes, Math.max(0, at - BYTES_BEFORE));
  const end = startOfSign(bytes, Math.min(bytes.length, start + EXCERPT_BYTES));
  const text = decoder.decode(bytes.subarray(start, end));
  return `${start > 0 ? MARK : ''}${text}${end < length ? MARK : ''}`;
}

/** UTF-8 goes on with up to three bytes 10xxxxxx. */
function startOfSign(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > Math.max(0, at - 3) && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start -= 1;
  return start;
}
