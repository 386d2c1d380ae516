import type { TransactionTable } from '../core/change-feed.ts';
import type { StoreKind } from '../core/event-store.ts';
import { formatTime } from '../core/time.ts';
import { formatPosition } from './position.ts';

/** Where a recovery is to end. */
export type RecoveryTarget =
  /** As far as backups and log go. */
  | { readonly kind: 'latest' }
  /** Microseconds since 2000, by the store's clock: all that committed at or before it. */
  | { readonly kind: 'time'; readonly time: bigint }
  /** All whose commit stands at or before it. */
  | { readonly kind: 'position'; readonly position: bigint }
  /** All before the transaction that holds the event. */
  | { readonly kind: 'before-event'; readonly eventId: string }
  /** All up to this transaction, and it. */
  | { readonly kind: 'to-transaction'; readonly xid: bigint };

/** A target as the log can be measured by it: events and transactions are looked up in it first. */
export type Bound =
  | { readonly kind: 'end' }
  | { readonly kind: 'time'; readonly time: bigint }
  /** Not the transaction that commits here, nor any later one. */
  | { readonly kind: 'before'; readonly position: bigint };

/** What the header of a block says of the commits in it; null where it holds none. */
export interface BlockSpan {
  readonly firstCommit: bigint | null;
  readonly lastCommit: bigint | null;
  readonly latest: bigint | null;
}

/**
 * Where a block lies, told from its header alone: all of it is within the bound, nothing is, or its transactions must be
 * looked at. Commits only grow; times may go back, so a block whose first commit is within may still hold one that is not.
 */
export function placeBlock(bound: Bound, block: BlockSpan): 'within' | 'beyond' | 'look' {
  const { firstCommit, lastCommit, latest } = block;
  if (bound.kind === 'end' || firstCommit === null || lastCommit === null) return 'within';
  if (bound.kind === 'time') return latest !== null && latest <= bound.time ? 'within' : 'look';
  if (lastCommit < bound.position) return 'within';
  return firstCommit >= bound.position ? 'beyond' : 'look';
}

/** The first transaction beyond the bound, by PostgreSQL's own rule: whatever follows it is beyond too. −1: none. */
export function firstBeyond(bound: Bound, table: TransactionTable): number {
  if (bound.kind === 'end') return -1;
  for (let i = 0; i < table.count; i += 1) {
    const isBeyond =
      bound.kind === 'time' ? table.times[i]! > bound.time : table.commits[i]! >= bound.position;
    if (isBeyond) return i;
  }
  return -1;
}

/** The bound of a target that needs no looking up; null for the others. */
export function directBound(target: RecoveryTarget): Bound | null {
  if (target.kind === 'latest') return { kind: 'end' };
  if (target.kind === 'time') return target;
  if (target.kind === 'position') return { kind: 'before', position: target.position + 1n };
  return null;
}

/** For messages; `kind` is of the store whose log it is. */
export function describeTarget(target: RecoveryTarget, kind: StoreKind): string {
  switch (target.kind) {
    case 'latest':
      return 'the newest instant';
    case 'time':
      return formatTime(target.time);
    case 'position':
      return `position ${formatPosition(target.position, kind)}`;
    case 'before-event':
      return `just before event ${target.eventId}`;
    case 'to-transaction':
      return `transaction ${target.xid}`;
  }
}
