import type { FeedSource } from '../core/change-feed.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import { idText } from '../core/event-id.ts';
import type { Vault } from '../core/vault.ts';
import { type LogTimeline, readLogCatalog } from '../format/log-catalog.ts';
import { lastBlock, readLogBlocks } from '../format/log-reader.ts';
import type { Spool } from './spool.ts';

/** Where a log goes on. */
export interface LogEnd {
  readonly source: FeedSource;
  readonly position: bigint;
  /** Of the last block; null behind a gap. */
  readonly digest: string | null;
  readonly lastEventId: string | null;
}

/** The end of the newest log; what waits in a spool comes after what is in the vault. Null when there is no log yet. */
export async function findLogEnd(vault: Vault, spool: Spool | null): Promise<LogEnd | null> {
  return (spool === null ? null : await endIn(spool.vault)) ?? (await endIn(vault));
}

async function endIn(vault: Vault): Promise<LogEnd | null> {
  const newest = newestTimeline(await readLogCatalog(vault));
  const last = newest === null ? null : await readLast(vault, newest);
  if (last === null) return null;
  const { position, digest, header } = last;
  return { source: header.source, position, digest, lastEventId: await lastEventId(vault, newest!) };
}

async function readLast(vault: Vault, timeline: LogTimeline): ReturnType<typeof lastBlock> {
  try {
    return await lastBlock(vault, timeline);
  } catch (cause) {
    if (!isBackupError(cause, 'damaged')) throw cause;
    throw new BackupError('damaged', `the log cannot be gone on with: ${cause.message}`, {
      hint: 'take that file from another copy of the vault, or move it away: what the store no longer has of it is then a gap, and a new backup is taken',
      facts: cause.facts,
      cause,
    });
  }
}

/** By the time of its last file: what a vault holds of other systems or timelines is from before. */
function newestTimeline(timelines: readonly LogTimeline[]): LogTimeline | null {
  let newest: LogTimeline | null = null;
  for (const timeline of timelines) {
    if (newest === null || writtenAtMs(timeline) >= writtenAtMs(newest)) newest = timeline;
  }
  return newest;
}

function writtenAtMs({ spans }: LogTimeline): number {
  return spans.at(-1)?.files.at(-1)?.modifiedAtMs ?? 0;
}

/** Null when the log holds no event. PostgreSQL keeps its own account of what was read. */
async function lastEventId(vault: Vault, { spans }: LogTimeline): Promise<string | null> {
  for (const file of spans.flatMap(({ files }) => files).reverse()) {
    let id: string | null = null;
    for await (const block of readLogBlocks(vault, [file])) {
      if (block.header.source.kind === 'postgres') return null;
      const events = await block.events();
      if (events !== null) id = idText(events, events.count - 1);
    }
    if (id !== null) return id;
  }
  return null;
}
