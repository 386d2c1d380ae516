import { isBackupError } from '../../core/errors.ts';
import type { SqlNames, StoreInspection, StreamSample } from '../../core/inspection.ts';

/** With more than these, to read the table for each statement is not much more than to look them up. */
const MAX_STREAMS = 100_000;
const MAX_NAME_CHARS = 8_000_000;

/**
 * The names of a store for statements on a sample: its streams are looked for once, so that each statement reads their events alone and
 * not those of the whole store. Where there are too many, or they cannot be looked for, the names are as they were.
 */
export async function namesOfSample(
  { names, select }: StoreInspection,
  sample: StreamSample | null,
  signal: AbortSignal | undefined,
): Promise<SqlNames> {
  if (sample === null) return names;
  const sql = `SELECT DISTINCT ${names.stream} AS stream FROM ${names.events} WHERE ${names.inBucket(sample)}`;
  const streams: string[] = [];
  let chars = 0;
  try {
    for await (const { stream } of select(sql, signal === undefined ? {} : { signal })) {
      // No name at all: what has none is looked for by a check of its own.
      if (stream == null) continue;
      streams.push(stream);
      chars += stream.length;
      if (streams.length > MAX_STREAMS || chars > MAX_NAME_CHARS) return names;
    }
  } catch (error) {
    // What keeps it from being answered keeps each check from it, which then says so.
    if (isBackupError(error, 'interrupted')) throw error;
    return names;
  }
  const list = names.inStreams(streams);
  return { ...names, inBucket: (other) => (other === sample ? list : names.inBucket(other)) };
}
