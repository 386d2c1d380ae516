import assert from 'node:assert/strict';
import type { Vault } from '../../../src/core/vault.ts';
import { parseBundleName } from '../../../src/format/bundle.ts';
import { readCatalog } from '../../../src/format/catalog.ts';
import { followChain, isBroken } from '../../../src/format/chain.ts';
import { type HealReport, healVault } from '../../../src/upkeep/heal.ts';
import { overwrite, readObject } from '../memory-backup.ts';
import type { Step } from './steps.ts';
import { count, leaseOf, type ModelRegion, pick, type World, withParents } from './world.ts';

/** An object of a backup that another region has as well is lost or damaged, in the one or the other. */
export async function loseObject(world: World): Promise<void> {
  const { random, regions } = world;
  const [region, other] =
    random.below(2) === 0 ? [regions.primary, regions.west] : [regions.west, regions.primary];
  const id = pick(
    random,
    [...region.owed].filter((one) => isSound(world, other, one)),
  );
  if (id === undefined) return;
  const { vault } = region.timed;
  const entry = (await readCatalog(vault)).backups.find(({ manifest }) => manifest.backupId === id)!;
  const name = pick(random, await namesIn(vault, entry.folder))!;
  await harm(world, vault, name);
  region.damaged.add(entry.folder);
  for (const owed of [...region.owed]) {
    if (!withParents(world, owed).includes(id)) continue;
    region.owed.delete(owed);
    region.hurt.add(owed);
  }
  count(world, 'lost objects');
}

function isSound(world: World, { owed, hurt }: ModelRegion, id: string): boolean {
  return owed.has(id) && withParents(world, id).every((one) => !hurt.has(one));
}

async function namesIn(vault: Vault, folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list(folder)) names.push(name);
  return names;
}

async function harm({ random }: World, vault: Vault, name: string): Promise<void> {
  const bytes = await readObject(vault, name);
  if (random.below(3) === 0 || bytes.length === 0) return vault.removeObject(name);
  bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
  await overwrite(vault, name, random.below(3) === 0 ? bytes.subarray(0, bytes.length - 1) : bytes);
}

/** What was hurt is whole again, where the other region still has it. */
export const heal: Step = async (world, through) => {
  const { primary, west } = world.regions;
  const [region, other] = primary.damaged.size > 0 ? [primary, west] : [west, primary];
  if (region.damaged.size === 0) return;
  const vault = through(region.timed.vault);
  const donors = [other.timed.vault];
  const folders = [...region.damaged];
  const underLease = leaseOf(world, vault);
  const report = await underLease((lease) =>
    healVault({ vault, clock: world.clock, donors, lease }, { folders }),
  );
  await expectHealed(world, region, other, report.unhealed);
  count(world, 'heals');
};

async function expectHealed(
  world: World,
  region: ModelRegion,
  other: ModelRegion,
  unhealed: HealReport['unhealed'],
): Promise<void> {
  const left = [...region.damaged].filter((folder) => unhealed.some(({ name }) => name.startsWith(folder)));
  // A call that failed on purpose is told as what could not be healed by it.
  const wasCut = unhealed.some(({ reason }) => reason.includes('on purpose'));
  for (const folder of wasCut ? [] : left) {
    const { backupId } = parseBundleName(folder)!;
    assert.ok(!isSound(world, other, backupId), `${folder} in ${region.name} could have been healed`);
  }
  region.damaged.clear();
  for (const folder of left) region.damaged.add(folder);
  const stillHurt = new Set(left.map((folder) => parseBundleName(folder)!.backupId));
  const catalog = await readCatalog(region.timed.vault);
  for (const id of [...region.hurt]) {
    if (withParents(world, id).some((one) => stillHurt.has(one))) continue;
    region.hurt.delete(id);
    const entry = catalog.backups.find(({ manifest }) => manifest.backupId === id);
    // A prune may have let it go meanwhile.
    if (entry !== undefined && !isBroken(followChain(catalog, entry))) region.owed.add(id);
  }
}
