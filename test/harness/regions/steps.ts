import assert from 'node:assert/strict';
import { takeFullBackup } from '../../../src/backup/full.ts';
import { takeIncrementalBackup } from '../../../src/backup/incremental.ts';
import { isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { type Catalog, readCatalog } from '../../../src/format/catalog.ts';
import { newestRestorePoint } from '../../../src/format/chain.ts';
import { digestStore } from '../../../src/integrity/store-digest.ts';
import { addHold, removeHold } from '../../../src/upkeep/holds.ts';
import { applyPrune, planPrune } from '../../../src/upkeep/prune.ts';
import { syncVault } from '../../../src/upkeep/sync.ts';
import { backupDefaults } from '../memory-backup.ts';
import { keptByHolds, keptByRule } from './oracle.ts';
import {
  ARCHIVE_AFTER_MS,
  count,
  DAY,
  HOUR,
  leaseOf,
  type ModelPoint,
  type ModelRegion,
  passTime,
  pick,
  type World,
  withParents,
} from './world.ts';

/** What one step does, through a vault that may fail; `through` gives the vault of a region as this step is to see it. */
export type Step = (world: World, through: (vault: Vault) => Vault) => Promise<void>;

export async function append({ store, random, nowMs }: World): Promise<void> {
  const appends = [...Array(1 + random.below(3)).keys()].map((i) => ({
    streamId: `order-${(random.below(40) + i * 40).toString()}`,
    events: [{ type: 'Placed', data: JSON.stringify({ at: nowMs, n: random.bits() }), metadata: '{}' }],
  }));
  await store.append(appends);
}

export async function wait(world: World): Promise<void> {
  passTime(world, world.random.below(4) === 0 ? world.random.below(4 * DAY) : world.random.below(12 * HOUR));
}

/** The store begins anew, as after a restore: what follows must be a full backup. */
export async function beginAnew({ store }: World): Promise<void> {
  await store.clear();
}

export const fullBackup: Step = async (world, through) => {
  const before = await digestStore(world.store);
  const vault = through(world.regions.primary.timed.vault);
  const ports = { store: world.store, vault, clock: world.clock };
  const { manifest } = await takeFullBackup(ports, backupDefaults);
  owe(world, manifest, before);
};

export const incrementalBackup: Step = async (world, through) => {
  const before = await digestStore(world.store);
  const vault = through(world.regions.primary.timed.vault);
  const catalog = await readCatalog(vault);
  if (catalog.backups.length === 0) return fullBackup(world, through);
  const { chain } = newestRestorePoint(catalog, vault.address);
  const ports = { store: world.store, vault, clock: world.clock };
  try {
    const outcome = await takeIncrementalBackup(ports, chain, backupDefaults);
    if (outcome.kind !== 'taken') return await fullBackup(world, through);
    owe(world, outcome.report.manifest, before);
  } catch (error) {
    // What was harmed in the chain is needed to tell what is new.
    const { damaged } = world.regions.primary;
    const isHurt = chain.some(({ folder }) => damaged.has(folder));
    if (!isHurt || !isBackupError(error, 'damaged')) throw error;
    await fullBackup(world, through);
  }
};

type Taken = { readonly backupId: string; readonly parentId: string | null; readonly createdAt: string };

function owe(
  world: World,
  { backupId, parentId, createdAt }: Taken,
  state: { events: number; digest: string },
): void {
  const point: ModelPoint = { backupId, parentId, createdAtMs: Date.parse(createdAt), ...state };
  world.points.set(backupId, point);
  promise(world, world.regions.primary, backupId);
  count(world, parentId === null ? 'full backups' : 'incremental backups');
}

/** What builds on something hurt cannot be brought back before that is healed. */
function promise(world: World, { owed, hurt }: ModelRegion, backupId: string): void {
  const isHurt = withParents(world, backupId).some((id) => hurt.has(id));
  (isHurt ? hurt : owed).add(backupId);
}

export function prune(name: 'primary' | 'west' | 'archive'): Step {
  return async (world, through) => {
    const region = world.regions[name];
    const vault = through(region.timed.vault);
    // Whatever comes of it: what the rule does not keep may be gone.
    const kept = await keptByRule(world, region);
    const archived = name === 'archive' ? null : await archiveFacts(world);
    try {
      await leaseOf(
        world,
        vault,
      )(async (lease) => {
        const { rule } = region;
        const { nowMs, writers } = world;
        const plan = await planPrune(vault, { rule, nowMs, writers, archive: archived });
        assert.equal(plan.stopped, null);
        const { backups } = await applyPrune(vault, plan, { lease });
        for (const _ of backups) count(world, `pruned in ${name}`);
      });
    } finally {
      const held = keptByHolds(world, region);
      for (const id of [...region.owed]) if (!kept.has(id) && !held.has(id)) region.owed.delete(id);
    }
  };
}

async function archiveFacts({ regions }: World) {
  const { backups } = await readCatalog(regions.archive.timed.vault);
  const holds = new Set(backups.map(({ manifest }) => manifest.backupId));
  return { afterMs: ARCHIVE_AFTER_MS, holds };
}

export const syncWest: Step = async (world, through) => {
  await copyTo(world, world.regions.west, through, undefined);
};

/** Whole chains whose newest backup is old enough. */
export const syncArchive: Step = async (world, through) => {
  const catalog = await readCatalog(world.regions.primary.timed.vault);
  const only = new Set(oldChains(world, catalog));
  await copyTo(world, world.regions.archive, through, only);
};

function oldChains({ nowMs }: World, { backups }: Catalog): string[] {
  const chains = Map.groupBy(backups, ({ manifest }) => manifest.chain?.baseId ?? manifest.backupId);
  return [...chains.values()]
    .filter((chain) =>
      chain.every(({ manifest }) => Date.parse(manifest.createdAt) <= nowMs - ARCHIVE_AFTER_MS),
    )
    .flatMap((chain) => chain.map(({ manifest }) => manifest.backupId));
}

async function copyTo(
  world: World,
  target: ModelRegion,
  through: (vault: Vault) => Vault,
  only: ReadonlySet<string> | undefined,
): Promise<void> {
  const source = through(world.regions.primary.timed.vault);
  const vault = through(target.timed.vault);
  const underLease = leaseOf(world, vault);
  const keeps = ({ createdAt }: { readonly createdAt: string }): boolean =>
    Date.parse(createdAt) >= world.nowMs - (target.rule.withinMs ?? 0);
  const options = only === undefined ? { keeps } : { only };
  const { copied } = await syncVault({ source, target: vault, clock: world.clock, underLease }, options);
  for (const id of copied) promise(world, target, id);
  count(world, `syncs of ${target.name}`);
}

export const hold: Step = async (world, through) => {
  const region = pick(world.random, [world.regions.primary, world.regions.west])!;
  await holdOne(world, region, pick(world.random, [...region.owed]), through);
};

async function holdOne(
  world: World,
  { timed, holds, owed }: ModelRegion,
  backup: string | undefined,
  through: Parameters<Step>[1],
): Promise<void> {
  if (backup === undefined) return;
  const request = { backup, reason: 'audit', until: null, software: 'the model' };
  const held = await addHold({ vault: through(timed.vault), clock: world.clock }, request);
  holds.set(held.hold.id, backup);
  owed.add(backup);
  count(world, 'holds');
}

export const release: Step = async (world, through) => {
  const region = pick(world.random, [world.regions.primary, world.regions.west])!;
  const wanted = pick(world.random, [...region.holds.keys()]);
  if (wanted === undefined) return;
  // Whether it was taken off, who died on the way cannot say: nothing rests on it any more.
  region.holds.delete(wanted);
  const vault = through(region.timed.vault);
  await removeHold({ vault, clock: world.clock }, { wanted, software: 'the model' });
};

/** A prune, while a backup is taken that builds on what is there, and while one that may go is held. */
export const race: Step = async (world, through) => {
  const { primary } = world.regions;
  const [oldest] = primary.owed;
  const steps = [
    incrementalBackup(world, through),
    prune('primary')(world, through),
    holdOne(world, primary, oldest, through),
  ];
  for (const result of await Promise.allSettled(steps)) {
    const isExpected = result.status === 'fulfilled' || isBackupError(result.reason, ...RACE_ERRORS);
    if (!isExpected) throw result.reason;
  }
  count(world, 'races');
};

/** A run that died, one that a lease holds up, and a hold that came too late. */
const RACE_ERRORS = ['vault_unreachable', 'lease_held', 'backup_not_found'] as const;
