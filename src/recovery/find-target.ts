import { BackupError } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { parseUuid, UUID_BYTES } from '../core/uuid-text.ts';
import { timeOfUuidV7 } from '../core/uuid-v7.ts';
import type { Vault } from '../core/vault.ts';
import type { BlockHeader } from '../format/log-header.ts';
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

/** Clocks of those who make ids may be this far ahead of the store's before it costs a second look. */
const CLOCKS_US = 60_000_000n;

/**
 * An id of version 7 says when it was made, and an event commits later. So blocks whose commits are clearly older are passed over at
 * first. They are looked at after all when the event is not found, or when it may have been there before: an id comes twice
 * only where rows were removed, or where the log has a gap.
 */
async function findEvent(
  vault: Vault,
  spans: readonly SpanFacts[],
  eventId: string,
  signal: AbortSignal | undefined,
): Promise<FoundTarget | null> {
  const wanted = wantedId(eventId);
  const { madeAt } = wanted;
  if (madeAt === null) return (await lookFor(vault, spans, wanted, signal, () => true)).found;
  const isOld = ({ latest }: BlockHeader): boolean => latest !== null && latest < madeAt - CLOCKS_US;
  const first = await lookFor(vault, spans, wanted, signal, (header) => !isOld(header));
  if (first.found !== null && !first.mayBeAgain) return first.found;
  const { found } = await lookFor(vault, spans, wanted, signal, isOld);
  if (found === null || first.found === null) return found ?? first.found;
  return found.bound.position < first.found.bound.position ? found : first.found;
}

interface FoundEvent extends FoundTarget {
  readonly bound: Extract<Bound, { kind: 'before' }>;
}

interface Look {
  readonly found: FoundEvent | null;
  /** What was passed over may hold it too. */
  readonly mayBeAgain: boolean;
}

async function lookFor(
  vault: Vault,
  spans: readonly SpanFacts[],
  { eventId, isWanted }: WantedId,
  signal: AbortSignal | undefined,
  isLookedAt: (header: BlockHeader) => boolean,
): Promise<Look> {
  let passed = 0;
  let mayBeAgain = false;
  for (const span of spans) {
    if (passed > 0) mayBeAgain = true;
    for await (const block of readLogBlocks(vault, span.span.files, {
      ...readingOf(span.timeline),
      signal,
    })) {
      if (block.header.parts.some(({ role }) => role === 'removals')) mayBeAgain = true;
      if (!isLookedAt(block.header)) {
        passed += 1;
        continue;
      }
      const row = await findRow(block, isWanted);
      if (row === null) continue;
      const table = await block.transactions();
      let transaction = 0;
      for (let before = table.events[0]!; before <= row; before += table.events[transaction]!)
        transaction += 1;
      const reason = `event ${eventId} is in transaction ${transaction} of block ${block.number} of ${block.file.name}`;
      const bound = { kind: 'before', position: table.commits[transaction]! } as const;
      return { found: { bound, span, reason }, mayBeAgain };
    }
  }
  return { found: null, mayBeAgain };
}

type IsWanted = (batch: EventBatch, row: number) => boolean;

async function findRow(block: LogBlock, isWanted: IsWanted): Promise<number | null> {
  const batch = await block.events();
  for (let row = 0; row < (batch?.count ?? 0); row += 1) if (isWanted(batch!, row)) return row;
  return null;
}

interface WantedId {
  readonly eventId: string;
  readonly isWanted: IsWanted;
  /** Microseconds since 2000; null where the id does not say. */
  readonly madeAt: bigint | null;
}

/** Ids are bytes or text, as the store has them; UUIDs are the same in either case of their letters. */
function wantedId(eventId: string): WantedId {
  const text = new TextEncoder().encode(eventId);
  const canonical = new TextEncoder().encode(eventId.toLowerCase());
  const uuid = new Uint8Array(UUID_BYTES);
  const isUuid = parseUuid(canonical, 0, canonical.length, uuid, 0);
  const isWanted: IsWanted = ({ bytes, id, idKind }, row) => {
    const start = id.starts[row]!;
    if (idKind === 'uuid') return isUuid && isAt(bytes, start, uuid);
    if (id.lengths[row] !== text.length) return false;
    return isAt(bytes, start, text) || (isUuid && isAt(bytes, start, canonical));
  };
  return { eventId, isWanted, madeAt: isUuid ? timeOfUuidV7(uuid) : null };
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
