import type { FeedSource } from '../core/change-feed.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import { NO_TRUST_POLICY } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import type { WriteKeys } from '../format/bundle-seal.ts';
import { type LogTimeline, readLogCatalog } from '../format/log-catalog.ts';
import { openLogs } from '../format/log-keys.ts';
import { type LogBlock, lastBlock, readingOf, readLogBlocks } from '../format/log-reader.ts';
import type { Spool } from './spool.ts';

/** Where a log goes on. */
export interface LogEnd {
  readonly source: FeedSource;
  readonly position: bigint;
  /** Of the last block; null behind a gap. */
  readonly digest: string | null;
  readonly lastEventId: string | null;
  /** Its last block is. */
  readonly isSealed: boolean;
}

/**
 * The end of the newest log, or of the one in `folder`; what waits in a spool comes after what is in the vault. Null when
 * there is no log yet.
 */
export async function findLogEnd(
  vault: Vault,
  spool: Spool | null,
  keys?: WriteKeys,
  folder?: string,
): Promise<LogEnd | null> {
  const own = { keys, folder };
  return (spool === null ? null : await endIn(spool.vault, vault, own)) ?? (await endIn(vault, vault, own));
}

/** `records`: the vault that has the log's key records. */
async function endIn(
  vault: Vault,
  records: Vault,
  { keys, folder }: { keys: WriteKeys | undefined; folder: string | undefined },
): Promise<LogEnd | null> {
  const timelines = await readLogCatalog(vault, folder);
  // Who signs from now on may go on with what was not signed; a forgery is refused.
  const opened =
    keys === undefined
      ? timelines
      : openLogs(records, timelines, { ring: keys.ring, trust: NO_TRUST_POLICY });
  const newest = newestTimeline(opened);
  const last = newest === null ? null : await readLast(vault, newest);
  if (last === null) return null;
  const { position, digest, header } = last;
  const { source } = header;
  const isSealed = header.sealing != null;
  return { source, position, digest, isSealed, lastEventId: await lastEventId(vault, newest!, keys) };
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
async function lastEventId(
  vault: Vault,
  timeline: LogTimeline,
  keys: WriteKeys | undefined,
): Promise<string | null> {
  for (const file of timeline.spans.flatMap(({ files }) => files).reverse()) {
    let id: string | null = null;
    for await (const block of readLogBlocks(vault, [file], readingOf(timeline))) {
      if (block.header.source.kind === 'postgres') return null;
      id = (await lastEventOf(block, keys)) ?? id;
    }
    if (id !== null) return id;
  }
  return null;
}

/** A host that cannot open what it sealed knows it by its signing key. */
async function lastEventOf(block: LogBlock, keys: WriteKeys | undefined): Promise<string | null> {
  try {
    return await block.lastEventId(keys?.signer ?? null);
  } catch (cause) {
    if (!isBackupError(cause, 'key_missing', 'key_wrong')) throw cause;
    throw new BackupError(
      cause.code,
      'the log is sealed, and its last event, where the store goes on, cannot be read',
      {
        hint: 'pass the --sign-key that the archiver had before (a log that is sealed without one cannot be gone on with), or once an --identity that opens the log',
        facts: cause.facts,
        cause,
      },
    );
  }
}
