import { isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { heal, loseObject } from './losses.ts';
import { assertListed, assertRestores } from './oracle.ts';
import {
  append,
  beginAnew,
  fullBackup,
  hold,
  incrementalBackup,
  prune,
  race,
  release,
  type Step,
  syncArchive,
  syncWest,
  wait,
} from './steps.ts';
import { count, dyingVault, HOUR, haltingVault, makeWorld, passTime, pick, type World } from './world.ts';

/** How often each is done, in so many of `SUM`. */
const STEPS: readonly (readonly [weight: number, name: string, step: Step])[] = [
  [16, 'append', append],
  [12, 'wait', wait],
  [4, 'full backup', fullBackup],
  [16, 'incremental backup', incrementalBackup],
  [8, 'sync west', syncWest],
  [3, 'sync archive', syncArchive],
  [6, 'prune primary', prune('primary')],
  [5, 'prune west', prune('west')],
  [2, 'prune archive', prune('archive')],
  [3, 'hold', hold],
  [2, 'release', release],
  [6, 'race', race],
  [3, 'lose an object', loseObject],
  [4, 'heal', heal],
  [1, 'begin anew', beginAnew],
];
const SUM = STEPS.reduce((sum, [weight]) => sum + weight, 0);
/** One in so many dies on its way. */
const DIES = 4;
const CHECK_EVERY = 5;

/**
 * Lets a made-up company live for so many steps, with runs that die at any call and runs that meet, and looks after each that
 * every restore point which the rules keep is there, and now and then that it comes back whole. Throws where one is lost,
 * naming the seed and the step.
 */
export async function liveThrough(seed: number, steps: number): Promise<ReadonlyMap<string, number>> {
  const world = await makeWorld(seed);
  await append(world);
  for (let number = 1; number <= steps; number += 1) {
    const name = await takeStep(world);
    try {
      for (const region of Object.values(world.regions)) await assertListed(world, region);
      if (number % CHECK_EVERY === 0 || number === steps) await restoreSome(world, number === steps);
    } catch (cause) {
      throw new Error(`seed ${seed}, step ${number} (${name}): ${(cause as Error).message}`, { cause });
    }
  }
  return world.counts;
}

async function takeStep(world: World): Promise<string> {
  const { random } = world;
  const [name, step] = chooseStep(random.below(SUM));
  const dies = random.below(DIES) === 0;
  try {
    await step(world, throughOf(world, name, dies));
  } catch (error) {
    if (!isExpected(world, error)) throw error;
    count(world, `died: ${name}`);
    // A lease that nobody gave back ends by itself.
    passTime(world, HOUR);
  }
  passTime(world, 1);
  return dies ? `${name}, which may die` : name;
}

/** What fails on purpose, what another's death left behind, and damage where there is some; anything else is a finding. */
function isExpected({ regions }: World, error: unknown): boolean {
  if (isBackupError(error, 'vault_unreachable', 'lease_held')) return true;
  const isHurt = Object.values(regions).some(({ damaged }) => damaged.size > 0);
  return isHurt && isBackupError(error, 'damaged', 'vault_object_missing', 'backup_not_found');
}

function chooseStep(at: number): [name: string, step: Step] {
  let behind = 0;
  for (const [weight, name, step] of STEPS) {
    behind += weight;
    if (at < behind) return [name, step];
  }
  throw new RangeError(`${at} is not below ${SUM}`);
}

function throughOf(world: World, name: string, dies: boolean): (vault: Vault) => Vault {
  return (vault) => {
    const seen = dies ? dyingVault(world, vault) : vault;
    return name === 'race' ? haltingVault(world, seen) : seen;
  };
}

async function restoreSome(world: World, all: boolean): Promise<void> {
  for (const region of Object.values(world.regions)) {
    const owed = [...region.owed];
    const chosen = all ? owed : [pick(world.random, owed)].filter((id) => id !== undefined);
    for (const id of chosen) {
      await assertRestores(world, region, id);
      count(world, 'restored');
    }
  }
}
