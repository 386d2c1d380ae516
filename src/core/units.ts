/** Numbers as people read them. Programs get them raw, with --json. */

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `12.3 MB`: powers of 1000, as disks and buckets are sold. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** `1,234,567`. What the languages of the world do with numbers takes 60 ms to load, and is not needed here. */
export function formatCount(count: number | bigint): string {
  const digits = String(typeof count === 'bigint' ? count : Math.round(count));
  return digits.replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 event`, `1,234 events`; the plural is given where it has more than an `s`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `35 ms`, `4.2 s`, `3 min 05 s`, `2 h 07 min`, `3 d 4 h` */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** `104,512 events/s`; null when too little time passed for a rate to mean anything. */
export function formatRate(count: number, durationMs: number, one: string): string | null {
  return durationMs < 1 ? null : `${formatCount((count * 1000) / durationMs)} ${one}s/s`;
}

/** `2026-11-23 04:05:06 UTC` from RFC 3339 in UTC; any other text is shown as it is. */
export function formatInstant(time: string): string {
  const match = /^([+-]?\d+-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(time);
  return match === null ? time : `${match[1]} ${match[2]} UTC`;
}

/**
 * Text from a store or vault, made safe for a terminal: control characters, which could move the cursor or hide
 * what was printed, and marks that turn the writing direction are shown as `\u{…}`.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (mark) => {
    return `\\u{${mark.codePointAt(0)!.toString(16)}}`;
  });
}
