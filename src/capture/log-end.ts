import type { FeedSource } from '../core/change-feed.ts';
import type { Vault } from '../core/vault.ts';
import { type LogTimeline, readLogCatalog } from '../format/log-catalog.ts';
import { lastBlock } from '../format/log-reader.ts';
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
  return newest === null ? null : lastBlock(vault, newest);
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
