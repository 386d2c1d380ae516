import { isBackupError } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import { formatTime, parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { chainTotals } from '../format/chain.ts';
import { type LogTimeline, readLogCatalog } from '../format/log-catalog.ts';
import { partOf } from '../format/log-header.ts';
import { quietUntil, type RunEnd } from '../format/log-quiet.ts';
import { readLogBlocks } from '../format/log-reader.ts';

/** How far a vault is behind the one that it is a copy of. */
export interface VaultLag {
  /** RFC 3339: the newest instant that backups and log of each hold; null when there is none. */
  readonly sourceAt: string | null;
  readonly targetAt: string | null;
  /** Null where one of them holds nothing. */
  readonly seconds: number | null;
  /** Events that only the source can bring back; null where that cannot be counted. */
  readonly events: number | null;
}

/** What there is of the newest in a vault. */
interface Newest {
  /** Of the newest backup whose chain is whole. */
  readonly backup: Manifest | null;
  /** Of the log with the latest end. */
  readonly log: { readonly timeline: LogTimeline; readonly asOf: bigint } | null;
}

/** Reads the ends of the logs, and the headers that the target lacks. The newest backups are the caller's to know. Needs no key. */
export async function measureLag(
  source: { readonly vault: Vault; readonly newest: Manifest | null },
  target: { readonly vault: Vault; readonly newest: Manifest | null },
): Promise<VaultLag> {
  const here = await findNewest(source.vault, source.newest);
  const there = await findNewest(target.vault, target.newest);
  const [ahead, behind] = [instantOf(here), instantOf(there)];
  return {
    ...{ sourceAt: textOf(ahead), targetAt: textOf(behind) },
    seconds: ahead === null || behind === null ? null : Math.max(0, Number(ahead - behind) / 1e6),
    events: await countBetween(source.vault, here, there),
  };
}

async function findNewest(vault: Vault, backup: Manifest | null): Promise<Newest> {
  let log: Newest['log'] = null;
  for (const timeline of await readLogCatalog(vault)) {
    const asOf = await endOf(vault, timeline);
    if (asOf !== null && (log === null || asOf > log.asOf)) log = { timeline, asOf };
  }
  return { backup, log };
}

/** Up to when a log holds all. Null also where it cannot be read: that is for a verification to say. */
async function endOf(vault: Vault, timeline: LogTimeline): Promise<bigint | null> {
  const file = timeline.spans.at(-1)?.files.at(-1);
  if (file === undefined) return null;
  let end: RunEnd | null = null;
  try {
    for await (const { header, digest } of readLogBlocks(vault, [file])) end = { header, digest };
    return end === null ? null : await quietUntil(vault, timeline, file.to, end);
  } catch (error) {
    if (!isBackupError(error, 'damaged', 'store_unsupported', 'vault_object_missing')) throw error;
    return null;
  }
}

/** Microseconds since 2000. */
function instantOf({ backup, log }: Newest): bigint | null {
  const taken = backup === null ? null : parseTime(backup.createdAt);
  if (taken === null || log === null) return taken ?? log?.asOf ?? null;
  return taken > log.asOf ? taken : log.asOf;
}

function textOf(instant: bigint | null): string | null {
  return instant === null ? null : formatTime(instant);
}

/** By the log where it says what is newest, else by what the newest chains hold in all. */
async function countBetween(source: Vault, here: Newest, there: Newest): Promise<number | null> {
  const { log, backup } = here;
  if (log !== null && instantOf(here) === log.asOf) {
    if (there.log?.timeline.folder !== log.timeline.folder) return null;
    return countBehind(source, log.timeline, there.log.timeline.spans.at(-1)!.to);
  }
  if (backup === null) return null;
  const held = there.backup === null ? 0 : chainTotals(there.backup).totalEvents;
  return Math.max(0, chainTotals(backup).totalEvents - held);
}

/** Null where the log has a hole behind that position, or cannot be read. */
async function countBehind(vault: Vault, { spans }: LogTimeline, position: bigint): Promise<number | null> {
  const last = spans.at(-1)!;
  if (position >= last.to) return 0;
  if (position < last.from) return null;
  let events = 0;
  try {
    for await (const { header } of readLogBlocks(vault, last.files, { from: position })) {
      events += partOf(header, 'events')?.records ?? 0;
    }
    return events;
  } catch (error) {
    if (!isBackupError(error, 'damaged', 'store_unsupported', 'log_gap', 'vault_object_missing')) throw error;
    return null;
  }
}
