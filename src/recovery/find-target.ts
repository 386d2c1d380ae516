import { BackupError } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { parseUuid, UUID_BYTES } from '../core/uuid-text.ts';
import type { Vault } from '../core/vault.ts';
import { type LogBlock, readingOf, readLogBlocks } from '../format/log-reader.ts';
import { type Bound, directBound, type RecoveryTarget } from './target.ts';
import type { SpanFacts } from './windows.ts';

/** A target, found in the log; `span` is null where it does not name one. */
export interface FoundTarget {
  readonly bound: Bound;
  readonly span: SpanFacts | null;
  /** How it was found, in words. */
  readonly reason: string | null;
}

/**
 * Looks a target up in the logs: an event where it was first written, a transaction where it last committed, since numbers of
 * 32 bits come again; in the newest timeline that has it. Throws `no_restore_point` when none has.
 */
export async function findTarget(
  vault: Vault,
  spans: readonly SpanFacts[],
  target: RecoveryTarget,
  signal?: AbortSignal,
): Promise<FoundTarget> {
  const direct = directBound(target);
  if (direct !== null) return { bound: direct, span: null, reason: null };
  const byTimeline = Map.groupBy(spans, ({ timeline }) => timeline);
  const newestFirst = [...byTimeline.values()].toSorted((a, b) =>
    a.at(-1)!.until < b.at(-1)!.until ? 1 : -1,
  );
  for (const own of newestFirst) {
    const found =
      target.kind === 'before-event'
        ? await findEvent(vault, own, target.eventId, signal)
        : target.kind === 'to-transaction'
          ? await findTransaction(vault, own, target.xid, signal)
          : null;
    if (found !== null) return found;
  }
  throw notInLog(target);
}

async function findEvent(
  vault: Vault,
  spans: readonly SpanFacts[],
  eventId: string,
  signal: AbortSignal | undefined,
): Promise<FoundTarget | null> {
  const isWanted = matcher(eventId);
  for (const span of spans) {
    for await (const block of readLogBlocks(vault, span.span.files, {
      ...readingOf(span.timeline),
      signal,
    })) {
      const row = await findRow(block, isWanted);
      if (row === null) continue;
      const table = await block.transactions();
      let transaction = 0;
      for (let before = table.events[0]!; before <= row; before += table.events[transaction]!)
        transaction += 1;
      const reason = `event ${eventId} is in transaction ${transaction} of block ${block.number} of ${block.file.name}`;
      return { bound: { kind: 'before', position: table.commits[transaction]! }, span, reason };
    }
  }
  return null;
}

type IsWanted = (batch: EventBatch, row: number) => boolean;

async function findRow(block: LogBlock, isWanted: IsWanted): Promise<number | null> {
  const batch = await block.events();
  for (let row = 0; row < (batch?.count ?? 0); row += 1) if (isWanted(batch!, row)) return row;
  return null;
}

/** Ids are bytes or text, as the store has them; UUIDs are the same in either case of their letters. */
function matcher(eventId: string): IsWanted {
  const text = new TextEncoder().encode(eventId);
  const canonical = new TextEncoder().encode(eventId.toLowerCase());
  const uuid = new Uint8Array(UUID_BYTES);
  const isUuid = parseUuid(canonical, 0, canonical.length, uuid, 0);
  return ({ bytes, id, idKind }, row) => {
    const start = id.starts[row]!;
    if (idKind === 'uuid') return isUuid && isAt(bytes, start, uuid);
    if (id.lengths[row] !== text.length) return false;
    return isAt(bytes, start, text) || (isUuid && isAt(bytes, start, canonical));
  };
}

function isAt(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i += 1) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

async function findTransaction(
  vault: Vault,
  spans: readonly SpanFacts[],
  xid: bigint,
  signal: AbortSignal | undefined,
): Promise<FoundTarget | null> {
  const low = Number(BigInt.asUintN(32, xid));
  let found = null as { commit: bigint; span: SpanFacts } | null;
  let count = 0;
  for (const span of spans) {
    if (span.source.kind !== 'postgres') continue;
    for await (const block of readLogBlocks(vault, span.span.files, {
      ...readingOf(span.timeline),
      signal,
    })) {
      const { count: transactions, xids, commits } = await block.transactions();
      const at = xids.subarray(0, transactions).lastIndexOf(low);
      if (at === -1 || commits[at] === found?.commit) continue;
      found = { commit: commits[at]!, span };
      count += 1;
    }
  }
  if (found === null) return null;
  const last = count === 1 ? '' : `, the last of ${count} with these 32 bits`;
  const reason = `transaction ${xid} is in the log${last}`;
  return { bound: { kind: 'before', position: found.commit + 1n }, span: found.span, reason };
}

function notInLog(target: RecoveryTarget): BackupError {
  const what =
    target.kind === 'before-event'
      ? `event ${target.eventId}`
      : `transaction ${target.kind === 'to-transaction' ? target.xid : ''}`;
  return new BackupError('no_restore_point', `${what} is in no log of the vault`, {
    hint: 'what is only in a backup has no known place in time: choose an instant with --at; `eventcore list` shows which there are',
  });
}
