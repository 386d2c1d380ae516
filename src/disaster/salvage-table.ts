import { formatTime, parseTime } from '../core/time.ts';

/** What becomes of the events of one stream that only the old store has. */
export interface SalvagedStream {
  readonly streamId: string;
  /** Events that only the old store has. */
  readonly events: number;
  /** Of these; null when there are none. */
  readonly firstVersion: number | null;
  readonly lastVersion: number | null;
  /** RFC 3339: between these times they were recorded. */
  readonly earliest: string | null;
  readonly latest: string | null;
  /** Of the events, those that a former merge of this salvage has brought into the new store. */
  readonly merged: number;
  /** Events that both have under one id, with other content or in other streams. */
  readonly differing: number;
  /** Events of the old store that stand elsewhere in the same stream of the new one: their writers tried again. */
  readonly retried: number;
  /** The last version of the new store's stream; null where it has none. */
  readonly newLast: number | null;
  readonly verdict: SalvageVerdict;
}

/** `mergeable`: they can be added behind what the new store has. `conflict`: people decide. `shared`: nothing of it is lost. */
export type SalvageVerdict = 'mergeable' | 'conflict' | 'shared';

/** What is being noted of a stream while it is read. */
export interface StreamAccount {
  readonly streamId: string;
  readonly oldFirst: number;
  readonly newLast: number | null;
  events: number;
  first: number | null;
  last: number | null;
  /** The first of the events that the new store does not have now. */
  firstPending: number | null;
  /** Microseconds since 2000. */
  earliest: bigint | null;
  latest: bigint | null;
  merged: number;
  differing: number;
  retried: number;
}

export function openAccount(streamId: string, oldFirst: number, newLast: number | null): StreamAccount {
  const none = { events: 0, first: null, last: null, firstPending: null, earliest: null, latest: null };
  return { streamId, oldFirst, newLast, ...none, merged: 0, differing: 0, retried: 0 };
}

export function noteLost(
  account: StreamAccount,
  { version, time }: { readonly version: number; readonly time: bigint },
  isMerged: boolean,
): void {
  account.events += 1;
  if (account.earliest === null || time < account.earliest) account.earliest = time;
  if (account.latest === null || time > account.latest) account.latest = time;
  account.first = Math.min(account.first ?? version, version);
  account.last = Math.max(account.last ?? version, version);
  if (isMerged) account.merged += 1;
  else account.firstPending = Math.min(account.firstPending ?? version, version);
}

export function closeAccount(account: StreamAccount): SalvagedStream {
  const { streamId, newLast, events, first, last, merged, differing, retried, earliest, latest } = account;
  return {
    ...{ streamId, events, firstVersion: first, lastVersion: last },
    earliest: earliest === null ? null : formatTime(earliest),
    latest: latest === null ? null : formatTime(latest),
    ...{ merged, differing, retried, newLast },
    verdict: judge(account),
  };
}

/** Only what carries on just where the new stream ends can be added: no version is left out, and none is there twice. */
function judge({ oldFirst, newLast, ...account }: StreamAccount): SalvageVerdict {
  const { events, first, last, firstPending, differing, retried } = account;
  if (differing > 0) return 'conflict';
  if (events === 0 || first === null || last === null) return 'shared';
  if (retried > 0 || events !== last - first + 1) return 'conflict';
  if (firstPending === null) return 'mergeable';
  return firstPending === (newLast === null ? oldFirst : newLast + 1) ? 'mergeable' : 'conflict';
}

export interface SalvageTotals {
  readonly events: number;
  /** Those that have such events. */
  readonly streams: number;
  readonly conflicts: number;
  readonly merged: number;
  readonly differing: number;
  /** RFC 3339, of the first and last of the events; null when there are none. */
  readonly earliest: string | null;
  readonly latest: string | null;
}

export function sumUp(streams: readonly SalvagedStream[]): SalvageTotals {
  const totals = { events: 0, streams: 0, conflicts: 0, merged: 0, differing: 0 };
  let earliest: string | null = null;
  let latest: string | null = null;
  for (const { events, merged, differing, verdict, ...times } of streams) {
    // Written alike, texts are in the order of the times.
    if (times.earliest !== null && (earliest === null || times.earliest < earliest))
      earliest = times.earliest;
    if (times.latest !== null && (latest === null || times.latest > latest)) latest = times.latest;
    totals.events += events;
    totals.merged += merged;
    totals.differing += differing;
    if (events > 0) totals.streams += 1;
    if (verdict === 'conflict') totals.conflicts += 1;
  }
  return { ...totals, earliest, latest };
}

/** From the first event to the last one; null when there are none, or a time is none. */
export function spanOf({ earliest, latest }: Pick<SalvageTotals, 'earliest' | 'latest'>): number | null {
  const [from, to] = [earliest, latest].map((text) => (text === null ? null : parseTime(text)));
  return from == null || to == null ? null : Number((to - from) / 1000n);
}
