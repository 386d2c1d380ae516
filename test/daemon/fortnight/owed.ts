import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../src/core/clock.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { readCatalog } from '../../../src/format/catalog.ts';
import { DAY } from './faults.ts';
import type { Problem } from './oracle.ts';
import { type Point, type World, wallMs } from './world.ts';

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

const SAMPLED = 6;

type Restore = (world: World, vault: Vault, clock: Clock, backupId: string) => Promise<void>;

/** What is owed is listed, its parents too; some of it, the newest among them, comes back whole, here and from the copy. */
export async function pointProblems(world: World, restore: Restore): Promise<Problem[]> {
  const { owed, owedWest, random, vault, west, days } = world;
  const clock: Clock = { now: () => wallMs(world), uuid: randomUUID };
  const atMs = days * DAY;
  const problems: Problem[] = [];
  const there = new Set((await readCatalog(vault)).backups.map(({ manifest }) => manifest.backupId));
  for (const id of owed)
    for (const one of withParents(world.points, id))
      if (!there.has(one)) problems.push({ atMs, text: `backup ${one}, which must be kept, is gone` });
  if (owed.size === 0) problems.push({ atMs, text: 'nothing can be restored' });
  for (const [place, ids] of [
    [vault, [...owed]],
    [west, [...owedWest]],
  ] as const) {
    const newest = ids.at(-1);
    const some = Array.from({ length: SAMPLED }, () => ids[random.below(Math.max(1, ids.length))]);
    for (const id of new Set([newest, ...some])) {
      if (id === undefined) continue;
      const failure = await restore(world, place, clock, id).then(() => null, String);
      if (failure !== null) problems.push({ atMs, text: failure });
    }
  }
  return problems;
}
