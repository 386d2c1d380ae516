import type { FeedSource, Horizon } from '../core/change-feed.ts';
import type { StoreCursor } from '../core/event-store.ts';
import { parsePosition } from './position.ts';

/** Where the view that a backup was taken from stands in a log. */
export interface BasePoint {
  /** All that the view saw had committed before this position. */
  readonly position: bigint;
  /** Which transactions it saw; null where that is told by the streams' heads. */
  readonly snapshot: Snapshot | null;
  /**
   * Every transaction with a smaller number had ended when the view was taken. Null where the log has no numbers and its order is
   * that of the rows: all before `position` is in the view.
   */
  readonly oldestOpen: bigint | null;
}

/** `pg_snapshot` of PostgreSQL: 64-bit transaction numbers. */
export interface Snapshot {
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly running: ReadonlySet<bigint>;
}

/** Reads `xmin:xmax:xip,xip,…`; null when it is none. */
export function parseSnapshot(text: string): Snapshot | null {
  const match = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text);
  if (match === null) return null;
  const running = match[3] === '' ? [] : match[3]!.split(',').map(BigInt);
  return { xmin: BigInt(match[1]!), xmax: BigInt(match[2]!), running: new Set(running) };
}

const HALF = 1n << 31n;
const WHOLE = 1n << 32n;

/** The 64-bit number nearest to `near` whose low 32 bits are `xid`: the log has no more of it than these. */
export function widenXid(xid: number, near: bigint): bigint {
  const wide = near - (near % WHOLE) + BigInt(xid);
  if (wide - near >= HALF && wide >= WHOLE) return wide - WHOLE;
  return near - wide > HALF ? wide + WHOLE : wide;
}

/** Whether a snapshot saw the transaction with these low 32 bits, which committed about when it was taken, or later. */
export function isInBase({ xmin, xmax, running }: Snapshot, xid: number): boolean {
  const wide = widenXid(xid, xmax);
  return wide < xmin || (wide < xmax && !running.has(wide));
}

/** Where a backup meets a log of its store, or why none can be laid on it. */
export function basePoint(cursor: StoreCursor): BasePoint | string {
  if (cursor.kind === 'postgres') return postgresPoint(cursor);
  if (cursor.kind === 'shards') return 'a store of several shards has no log of its own';
  if (cursor.kind === 'files') return 'a store in files has no log of its own';
  const last = cursor.kind === 'sqlite' ? cursor.maxRowid : cursor.events;
  const isNumbered = (typeof last === 'number' || typeof last === 'string') && /^\d+$/.test(String(last));
  if (!isNumbered) return 'its events are not numbered by rows';
  return { position: BigInt(last) + 1n, snapshot: null, oldestOpen: null };
}

function postgresPoint({ lsn, snapshot, role }: StoreCursor): BasePoint | string {
  const position = typeof lsn === 'string' ? parsePosition(lsn) : null;
  if (position === null) return 'its role may not ask where the log of the server was';
  const parsed = typeof snapshot === 'string' ? parseSnapshot(snapshot) : null;
  if (parsed === null) return 'the server had not written all of it to disk when it was taken';
  // The snapshot of a standby does not list who was running, only who was the oldest of them.
  return { position, snapshot: role === 'standby' ? null : parsed, oldestOpen: parsed.xmin };
}

/**
 * Whether a log that is unbroken from `from` on has all that the base lacks. A transaction that the base could not see may have
 * its commit shortly before the base's position, as it becomes visible only after that; so the log must hold all commits
 * of transactions that had not ended. A horizon says from which position on these lie.
 */
export function reachesBack(base: BasePoint, from: bigint, horizon: Horizon | null): boolean {
  if (base.oldestOpen === null) return from <= base.position;
  return horizon !== null && horizon.position >= from && horizon.xid <= base.oldestOpen;
}

const PLACE = ['systemIdentifier', 'timeline', 'database', 'relation'] as const;

/** Whether a backup was taken from the very store whose log this is; SQLite files are told by what is in them, later on. */
export function isOfSource(cursor: StoreCursor, source: FeedSource): boolean {
  if (cursor.kind !== source.kind) return false;
  if (cursor.kind !== 'postgres') return true;
  return PLACE.every((field) => cursor[field] != null && String(cursor[field]) === String(source[field]));
}

/**
 * Whether the events of a transaction are in the base, or in the log alone. `heads`: the view may have seen it, and each
 * event must be looked for among the streams of the base.
 */
export function belongsTo(base: BasePoint, xid: number, commit: bigint): 'base' | 'log' | 'heads' {
  if (base.snapshot !== null) return isInBase(base.snapshot, xid) ? 'base' : 'log';
  return commit >= base.position ? 'log' : 'heads';
}
