import { readCatalog } from '../../../src/format/catalog.ts';
import type { Point, World } from './world.ts';

/**
 * What the rule of a vault promises to keep, in the words of a user: the last ones, so many days, the newest of each day, and what those
 * build on. More may be kept; nothing less.
 */
function keptByRule({ rule, points, timeZone }: World, there: readonly Seen[], nowMs: number): Set<string> {
  const newestFirst = there.toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  const day = new Intl.DateTimeFormat('en-CA', { timeZone });
  const days = Map.groupBy(newestFirst, ({ createdAtMs }) => day.format(createdAtMs));
  const promised = [
    ...newestFirst.slice(0, rule.last ?? 1),
    ...newestFirst.filter(({ createdAtMs }) => createdAtMs >= nowMs - (rule.withinMs ?? 0)),
    ...[...days.values()].slice(0, rule.daily ?? 0).map(([newest]) => newest!),
  ];
  return new Set(promised.flatMap(({ backupId }) => withParents(points, backupId)));
}

interface Seen {
  readonly backupId: string;
  readonly createdAtMs: number;
}

/** A backup and all that it builds on. */
export function withParents(points: ReadonlyMap<string, Point>, backupId: string): string[] {
  const ids: string[] = [];
  for (let id: string | null = backupId; id !== null; id = points.get(id)?.parentId ?? null) ids.push(id);
  return ids;
}

/** What a run left that died behind its last write has a place in days and counts, too. */
export async function afterPrune(world: World, nowMs: number): Promise<void> {
  const seen = new Map<string, Seen>();
  for (const id of world.owed) seen.set(id, world.points.get(id)!);
  for (const { manifest } of (await readCatalog(world.vault)).backups) {
    const { backupId, createdAt } = manifest;
    seen.set(backupId, { backupId, createdAtMs: Date.parse(createdAt) });
  }
  const kept = keptByRule(world, [...seen.values()], nowMs);
  for (const id of [...world.owed]) if (!kept.has(id)) world.owed.delete(id);
}

