import { BackupError } from './errors.ts';
import { type EventBatch, spanBytes } from './event-batch.ts';
import { nameText } from './name-text.ts';
import type { PutBackCounts } from './repair.ts';

/** A row of a store that has the id of an event that is to be put back, or stands in its place. */
export interface TouchedRow<Key> {
  readonly key: Key;
  /** Of the event of the batch that has this row's id; null when none has. */
  readonly byId: number | null;
  /** Of the event of the batch in whose place it stands; null when it stands elsewhere. */
  readonly byPlace: number | null;
  /** It is, byte for byte, the event that has its id. */
  readonly isEqual: boolean;
  /** What it shares with the event in whose place it stands: nothing that counts, type and content, or the time as well. */
  readonly likeness: Likeness;
}

export type Likeness = 'none' | 'content' | 'all';

export interface PutBackPlan<Key> {
  /** Rows that become these events. */
  readonly changes: readonly PutBackChange<Key>[];
  /** Copies to take away. */
  readonly removals: readonly { readonly key: Key; readonly event: number }[];
  /** Events in whose place another one stands. */
  readonly diverged: readonly number[];
  /** Events that are nowhere. */
  readonly absent: readonly number[];
}

export interface PutBackChange<Key> {
  readonly key: Key;
  readonly event: number;
  /** It comes from another place. */
  readonly isMoved: boolean;
  /** It is what it should be, and is only written again. */
  readonly isEqual: boolean;
}

/**
 * Where rows that move stand until all are out of each other's way: so far below every version as an exact one can be, since who follows
 * the store's changes reads these too.
 */
export const PARKED_FROM = -Number.MAX_SAFE_INTEGER;

/**
 * What becomes of each row. An event is told by its id: so two that were exchanged find back to their places, and one whose stream or
 * version was damaged does too. Without such a row, one in its place that is alike in all but the id is it; a retry that wrote the same
 * content under another id at another time is an event of its own.
 */
export function planPutBack<Key>(count: number, rows: readonly TouchedRow<Key>[]): PutBackPlan<Key> {
  const own = groupBy(rows, ({ byId }) => byId);
  const strangers = groupBy(
    rows.filter(({ byId }) => byId === null),
    ({ byPlace }) => byPlace,
  );
  const plan = { changes: [], removals: [], diverged: [], absent: [] } as {
    changes: PutBackChange<Key>[];
    removals: { key: Key; event: number }[];
    diverged: number[];
    absent: number[];
  };
  for (let event = 0; event < count; event += 1) {
    const inPlace = (strangers.get(event) ?? []).toSorted(
      (a, b) => Number(isOnlyRenamed(b)) - Number(isOnlyRenamed(a)),
    );
    const named = (own.get(event) ?? []).toSorted((a, b) => worth(b, event) - worth(a, event));
    if (isDiverged(named, inPlace)) {
      plan.diverged.push(event);
      continue;
    }
    const [kept, ...copies] = [...named, ...inPlace];
    if (kept === undefined) plan.absent.push(event);
    // Who follows the changes is told of a removal by the id: what stays of several with one id is written again behind it.
    else if (!kept.isEqual || named.length > 1) {
      const { key, byPlace, isEqual } = kept;
      plan.changes.push({ key, event, isMoved: byPlace !== event, isEqual });
    }
    for (const { key } of copies) plan.removals.push({ key, event });
  }
  return plan;
}

function isDiverged(named: readonly TouchedRow<unknown>[], inPlace: readonly TouchedRow<unknown>[]): boolean {
  if (inPlace.some(({ likeness }) => likeness === 'none')) return true;
  return named.length === 0 && inPlace.length > 0 && !inPlace.some(isOnlyRenamed);
}

function isOnlyRenamed({ likeness }: TouchedRow<unknown>): boolean {
  return likeness === 'all';
}

/** Of copies the one stays that has to be changed least. */
function worth({ isEqual, byPlace }: TouchedRow<unknown>, event: number): number {
  return (isEqual ? 2 : 0) + (byPlace === event ? 1 : 0);
}

function groupBy<Row>(rows: readonly Row[], of: (row: Row) => number | null): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const event = of(row);
    if (event === null) continue;
    const group = groups.get(event);
    if (group === undefined) groups.set(event, [row]);
    else group.push(row);
  }
  return groups;
}

export function countPutBack({ changes, removals, absent }: PutBackPlan<unknown>): PutBackCounts {
  const changed = changes.filter(({ isEqual }) => !isEqual).length;
  return { changed, removed: removals.length, absent: absent.length };
}

/** Throws `store_diverged`. */
export function assertNotDiverged(batch: EventBatch, { diverged }: PutBackPlan<unknown>): void {
  const [first] = diverged;
  if (first === undefined) return;
  const { streamId, version } = placeOf(batch, first);
  const more = diverged.length > 1 ? `, and so it is in ${diverged.length - 1} more places` : '';
  throw new BackupError(
    'store_diverged',
    `another event than the backup's stands at version ${version} of stream ${JSON.stringify(streamId)}${more}`,
    {
      hint: 'it is only in the store, so it is not overwritten; see `eventcore diff` and decide which of the two counts',
      facts: { streamId, version, events: diverged.length },
    },
  );
}

export function notAsGiven(batch: EventBatch, row: number): BackupError {
  const { streamId, version } = placeOf(batch, row);
  return new BackupError(
    'value_not_storable',
    `event ${version} of stream ${JSON.stringify(streamId)} does not read back as the backup has it`,
    {
      hint: 'nothing was changed; the backup is of a store of another kind, or a rule in the database changes what is written',
      facts: { streamId, version },
    },
  );
}

function placeOf(batch: EventBatch, row: number): { streamId: string; version: string } {
  const streamId = nameText(spanBytes(batch, batch.stream, row) ?? new Uint8Array(0));
  return { streamId, version: String(batch.versions[row]!) };
}
