import assert from 'node:assert/strict';
import { readCatalog } from '../../../src/format/catalog.ts';
import { requireChain } from '../../../src/format/chain.ts';
import { digestStore } from '../../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../../src/recovery/restore.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { DAY, type ModelPoint, type ModelRegion, type World, withParents } from './world.ts';

/**
 * What a region's rule promises to keep, in the words of a user: so many days, the last ones, the newest of each day, what is
 * held, and what those build on. More may be kept; nothing less.
 */
export async function keptByRule(world: World, region: ModelRegion): Promise<Set<string>> {
  const { rule } = region;
  const newestFirst = await visible(world, region);
  const promised = [
    ...newestFirst.slice(0, rule.last ?? 1),
    ...newestFirst.filter(({ createdAtMs }) => createdAtMs >= world.nowMs - (rule.withinMs ?? 0)),
    ...newestOfDays(newestFirst).slice(0, rule.daily ?? 0),
  ];
  const kept = promised.flatMap(({ backupId }) => withParents(world, backupId));
  return new Set([...kept, ...keptByHolds(world, region)]);
}

/** What a hold on something that has lost its manifest builds on, nobody can tell from the vault. */
export function keptByHolds(world: World, { holds, owed }: ModelRegion): Set<string> {
  const held = [...holds.values()].filter((id) => owed.has(id));
  return new Set(held.flatMap((id) => withParents(world, id)));
}

type Seen = Pick<ModelPoint, 'backupId' | 'createdAtMs'>;

/**
 * What has a place in days and counts: also what a run left that died behind its last write, and what is hurt, since who prunes
 * reads no events.
 */
async function visible(world: World, { timed, owed, hurt }: ModelRegion): Promise<Seen[]> {
  const seen = new Map<string, Seen>();
  for (const id of [...owed, ...hurt]) seen.set(id, world.points.get(id)!);
  for (const { manifest } of (await readCatalog(timed.vault)).backups) {
    const { backupId, createdAt } = manifest;
    seen.set(backupId, { backupId, createdAtMs: Date.parse(createdAt) });
  }
  return [...seen.values()].sort((a, b) => b.createdAtMs - a.createdAtMs);
}

function newestOfDays(newestFirst: readonly Seen[]): Seen[] {
  const days = Map.groupBy(newestFirst, ({ createdAtMs }) => Math.floor(createdAtMs / DAY));
  return [...days.values()].map(([newest]) => newest!);
}

/** A region brings back a backup: every event as the store had it. */
export async function assertRestores(
  world: World,
  { name, timed: { vault } }: ModelRegion,
  backupId: string,
): Promise<void> {
  const where = `${backupId} in ${name}`;
  const catalog = await readCatalog(vault);
  const entry = catalog.backups.find(({ manifest }) => manifest.backupId === backupId);
  assert.ok(entry !== undefined, `${where} is gone`);
  const target = memoryStore();
  const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
  await restoreBackup({ target, vault, clock: world.clock }, requireChain(catalog, entry), options);
  const { events, digest } = world.points.get(backupId)!;
  assert.deepEqual(await digestStore(target), { events, digest }, where);
}

/** All that is owed is listed whole. Quick: reads manifests. */
export async function assertListed(world: World, region: ModelRegion): Promise<void> {
  const catalog = await readCatalog(region.timed.vault);
  const there = new Set(catalog.backups.map(({ manifest }) => manifest.backupId));
  for (const id of region.owed) {
    for (const link of withParents(world, id)) {
      assert.ok(there.has(link), `${link}, which ${id} needs, is not in ${region.name}`);
    }
  }
  const broken = catalog.damaged.filter(({ folder }) => !region.damaged.has(folder));
  assert.deepEqual(broken, [], region.name);
}
