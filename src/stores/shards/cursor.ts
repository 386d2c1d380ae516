import type { StoreCursor } from '../../core/event-store.ts';

/** What was seen of one shard, and when. */
export interface ShardView {
  readonly cursor: StoreCursor;
  /** RFC 3339. */
  readonly openedAt: string;
}

/** What tells a store from others, and its view from later ones: of all shards together where each has it. */
const JOINED = ['systemIdentifier', 'database', 'relation', 'snapshot'] as const;

/** One cursor of all shards: `shards`, how many there are, and of each, from `shard1` on, what was seen and when, as JSON. */
export function joinCursors(views: readonly ShardView[]): StoreCursor {
  const joined = JOINED.map((field): [string, string | null] => {
    const values = views.map(({ cursor }) => cursor[field]);
    return [field, values.every((value) => value != null) ? values.join(' / ') : null];
  });
  const own = views.map((view, shard): [string, string] => [`shard${shard + 1}`, JSON.stringify(view)]);
  return { kind: 'shards', shards: views.length, ...Object.fromEntries([...joined, ...own]) };
}

/** The cursors of the shards, or why they are not to be had, in words. */
export function splitCursor(cursor: StoreCursor, shards: number): StoreCursor[] | string {
  if (cursor.kind !== 'shards') return `the parent was taken from a store of another kind, ${cursor.kind}`;
  if (cursor.shards !== shards)
    return `the store has ${shards} shards, and had ${cursor.shards} when the parent was taken`;
  const views = Array.from({ length: shards }, (_, shard) => parseView(cursor[`shard${shard + 1}`]));
  return views.every((view) => view !== null) ? views : 'what the parent saw of the shards cannot be told';
}

/** A manifest may say anything. */
function parseView(text: unknown): StoreCursor | null {
  try {
    const view = JSON.parse(String(text)) as Partial<ShardView> | null;
    return typeof view?.cursor?.kind === 'string' ? view.cursor : null;
  } catch {
    return null;
  }
}
