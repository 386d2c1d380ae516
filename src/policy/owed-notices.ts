import { alertKey, type OwedNotice } from '../core/monitor-state.ts';

export type Notice = Omit<OwedNotice, 'id'>;

/**
 * Puts notices behind those that are owed, for each notifier so that what it gets in the end makes sense by itself, and so that never more
 * than two are owed to it about one thing, however long it is away: that it began or goes on, and that it is over.
 */
export function enqueue(
  owed: readonly OwedNotice[],
  notices: readonly Notice[],
  newId: () => string,
): OwedNotice[] {
  const queue = owed.map((entry) => ({ ...entry, to: [...entry.to] }));
  const byKey = Map.groupBy(queue, alertKey);
  for (const notice of notices) {
    const key = alertKey(notice);
    const pending = byKey.get(key) ?? [];
    const asIs: string[] = [];
    const asRepeated: string[] = [];
    for (const name of notice.to) {
      const way = wayOf(notice.state, pending, name);
      if (way === 'as it is') asIs.push(name);
      if (way === 'as repeated') asRepeated.push(name);
    }
    for (const entry of [
      { ...notice, id: newId(), to: asIs },
      { ...notice, state: 'repeated' as const, id: newId(), to: asRepeated },
    ]) {
      if (entry.to.length > 0) queue.push(entry);
    }
  }
  return queue.filter(({ to }) => to.length > 0);
}

/** How one notifier is told, by what it was not told yet; takes an end back that it never heard of. */
function wayOf(
  state: Notice['state'],
  pending: { readonly state: Notice['state']; to: string[] }[],
  name: string,
): 'as it is' | 'as repeated' | 'not' {
  const mine = pending.filter(({ to }) => to.includes(name));
  const end = mine.find((entry) => entry.state === 'resolved');
  const begin = mine.find((entry) => entry.state !== 'resolved');
  if (state === 'resolved') return end === undefined ? 'as it is' : 'not';
  if (end !== undefined) end.to = end.to.filter((other) => other !== name);
  if (begin !== undefined) return 'not';
  return end === undefined ? 'as it is' : 'as repeated';
}

/** What is owed still when some of it was sent. */
export function settle(
  owed: readonly OwedNotice[],
  sent: readonly { readonly id: string; readonly to: readonly string[] }[],
): OwedNotice[] {
  const gone = new Map<string, readonly string[]>();
  for (const { id, to } of sent) gone.set(id, [...(gone.get(id) ?? []), ...to]);
  return owed
    .map((entry) => ({ ...entry, to: entry.to.filter((name) => !gone.get(entry.id)?.includes(name)) }))
    .filter(({ to }) => to.length > 0);
}
