import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { SqliteConfig } from './config.ts';
import { type FeedRows, firstId } from './feed-rows.ts';

/** Timelines of logs are seconds since 2000, when each was begun. */
export const TIMELINE_EPOCH_MS = Date.UTC(2000, 0);

/**
 * A SQLite file has no number of its own. What stays the same for a store, wherever its file is moved or copied to, is its
 * first event; null while there is none. A copy that went its own way is told by the last event of the log.
 */
export function storeIdentity(rows: FeedRows): string | null {
  const id = firstId(rows);
  return id === null ? null : digits(`first event ${id}`);
}

/** Of the file, as the cursor of a backup has it: for a store that was empty when its log began. */
export function fileIdentity({ path }: SqliteConfig): string {
  return digits(`file ${fileNumber(path)}`);
}

/** Tells a file from another one that was put in its place. */
export function fileNumber(path: string): string | null {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
}

function digits(text: string): string {
  return String(createHash('sha256').update(text).digest().readBigUInt64BE());
}
