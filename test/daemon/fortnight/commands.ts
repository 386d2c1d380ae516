import { takeFullBackup } from '../../../src/backup/full.ts';
import { takeIncrementalBackup } from '../../../src/backup/incremental.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { BackupError } from '../../../src/core/errors.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { JobName } from '../../../src/core/job.ts';
import type { UnderLease } from '../../../src/core/lease.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { readCatalog } from '../../../src/format/catalog.ts';
import { newestRestorePoint, requireChain } from '../../../src/format/chain.ts';
import { digestStore } from '../../../src/integrity/store-digest.ts';
import { verifyChains } from '../../../src/integrity/verify/chains.ts';
import { restoreBackup } from '../../../src/recovery/restore.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { vaultNow } from '../../../src/upkeep/lease-row.ts';
import { applyPrune, planPrune } from '../../../src/upkeep/prune.ts';
import { syncVault } from '../../../src/upkeep/sync.ts';
import { backupDefaults } from '../../harness/memory-backup.ts';
import { HOUR } from './faults.ts';
import { afterPrune } from './owed.ts';
import { type Point, say, type World } from './world.ts';

/** What the commands of jobs do, with the real code behind them. */

export interface CommandPorts {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly west: Vault;
  readonly clock: Clock;
  readonly leaseOf: (vault: Vault) => UnderLease;
}

export type Command = (world: World, ports: CommandPorts) => Promise<void>;

async function append({ store, random, time }: World): Promise<void> {
  const appends = [...Array(1 + random.below(2)).keys()].map((i) => ({
    streamId: `order-${random.below(30) + i * 30}`,
    events: [{ type: 'Placed', data: JSON.stringify({ at: time.now(), n: random.bits() }), metadata: '{}' }],
  }));
  await store.append(appends);
}

const full: Command = async (world, { store, vault, clock }) => {
  await append(world);
  const before = await digestStore(world.store);
  const { manifest } = await takeFullBackup({ store, vault, clock }, { ...backupDefaults, parallel: 1 });
  owe(world, manifest, before);
};

const incremental: Command = async (world, ports) => {
  const { store, vault, clock } = ports;
  const catalog = await readCatalog(vault);
  if (catalog.backups.length === 0) return full(world, ports);
  await append(world);
  const before = await digestStore(world.store);
  const { chain } = newestRestorePoint(catalog, vault.address);
  const outcome = await takeIncrementalBackup({ store, vault, clock }, chain, {
    ...{ ...backupDefaults, parallel: 1 },
  });
  if (outcome.kind !== 'taken') throw new Error(`an incremental backup could not be taken: ${outcome.kind}`);
  owe(world, outcome.report.manifest, before);
};

type Taken = { readonly backupId: string; readonly parentId: string | null; readonly createdAt: string };

function owe(
  world: World,
  { backupId, parentId, createdAt }: Taken,
  state: { readonly events: number; readonly digest: string },
): void {
  const point: Point = {
    ...{ backupId, parentId, createdAtMs: Date.parse(createdAt), atMs: world.time.now(), ...state },
  };
  world.points.set(backupId, point);
  world.owed.add(backupId);
}

const sync: Command = async (world, { vault, west, clock, leaseOf }) => {
  const { copied } = await syncVault({ source: vault, target: west, clock, underLease: leaseOf(west) });
  for (const id of copied) world.owedWest.add(id);
};

const prune: Command = async (world, { vault, clock, leaseOf }) => {
  const underLease = leaseOf(vault);
  await underLease(async (lease) => {
    const vaultNowMs = await vaultNow(vault, 'upkeep', clock);
    const writers = { self: 'this test', stateOf: () => 'dead' as const };
    const options = { rule: world.rule, nowMs: clock.now(), vaultNowMs, writers, archive: null };
    const plan = await planPrune(vault, options);
    // Whatever comes of it: what the rule does not keep may be gone.
    if (plan.stopped === null) await afterPrune(world, clock.now());
    const { backups } = await applyPrune(vault, plan, { lease });
    if (backups.length > 0) say(world, `prune let ${backups.length} backups go`);
  });
};

const verify: Command = async (_world, { vault, clock }) => {
  const catalog = await readCatalog(vault);
  const newest = catalog.backups.at(-1);
  if (newest === undefined) throw new BackupError('no_backups', 'there is no backup');
  const chain = new Set(requireChain(catalog, newest).map(({ folder }) => folder));
  const entries = catalog.backups.filter(({ folder }) => chain.has(folder));
  const found = await verifyChains({ vault, clock }, catalog, entries, {
    ...{ quick: false, parallel: 1 },
  });
  if (found.some(({ verification }) => !verification.overallValid))
    throw new BackupError('verification_failed', 'a backup is not sound');
};

const drill: Command = async (world, { vault, clock }) => {
  const { chain } = newestRestorePoint(await readCatalog(vault), vault.address);
  await assertRestores(world, vault, clock, chain.at(-1)!.manifest.backupId);
};

/** A vault brings back a backup: every event as the store had it. */
export async function assertRestores(
  { points }: World,
  vault: Vault,
  clock: Clock,
  backupId: string,
): Promise<void> {
  const catalog = await readCatalog(vault);
  const entry = catalog.backups.find(({ manifest }) => manifest.backupId === backupId);
  if (entry === undefined) throw new Error(`backup ${backupId} is gone`);
  const target = memoryStore();
  const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
  await restoreBackup({ target, vault, clock }, requireChain(catalog, entry), options);
  const { events, digest } = await digestStore(target);
  const point = points.get(backupId);
  if (point === undefined) return;
  if (point.events !== events || point.digest !== digest)
    throw new Error(`backup ${backupId} came back with other events than the store had`);
}

/** Older than this, the newest backup breaks what was promised. */
const PROMISED_MS = 12 * HOUR;

const doctor: Command = async ({ points, time }) => {
  const newest = [...points.values()].at(-1);
  if (newest === undefined || time.now() - newest.atMs > PROMISED_MS)
    throw new BackupError('verification_failed', 'the newest backup is older than was promised');
};

export const COMMANDS: Partial<Record<JobName, Command>> = {
  ...{ full, incremental, sync, prune, verify, drill, doctor },
};
