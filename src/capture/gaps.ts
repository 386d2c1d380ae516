import type { ChangeFeed } from '../core/change-feed.ts';
import type { BackupError } from '../core/errors.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { type GapMarker, writeGap } from '../format/log-gap.ts';
import { logFolder } from '../format/log-name.ts';
import type { LogEnd } from './log-end.ts';

/**
 * Marks that the log of a vault does not go on where it ended, before anything behind the gap is written. On another timeline,
 * whose positions are others from where it began, the marker stands in the new log.
 */
export async function markGap(
  vault: Vault,
  end: LogEnd,
  feed: ChangeFeed,
  lost: BackupError,
  nowMs: number,
): Promise<GapMarker> {
  const gap: GapMarker = {
    from: end.position < feed.from ? end.position : feed.from,
    to: feed.from,
    reason: String(lost.facts.reason ?? lost.code),
    message: lost.message,
    noticedAt: formatTime(timeFromUnixMs(nowMs), 3),
  };
  await writeGap(vault, logFolder(feed.source), gap);
  return gap;
}
