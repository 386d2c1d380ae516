/**
 * Ways in which backups are useless in practice, each on a world of its own. What a drill must make of it: exactly these tests fail, each with
 * this reason, and nothing of the drill is left.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeFullBackup } from '../../src/backup/full.ts';
import { openVault } from '../../src/cli/wire.ts';
import { encodeGap } from '../../src/format/log-gap.ts';
import { withStoreAt } from '../harness/command.ts';
import { type DrilledWorld, type DrillWorld, flipBit, REGIONS } from '../harness/drill-world.ts';
import { backupDefaults, testClock } from '../harness/memory-backup.ts';

/** What restores from the vault itself, whole. */
const WHOLE = ['full_restore', 'point_in_time_recovery'];
export const RESTORES = ['partial_restore', ...WHOLE];
export const EVERYWHERE = [...RESTORES, 'cross_region_restore'];

export interface Sabotage {
  readonly way: string;
  readonly damage?: (world: DrillWorld) => void | Promise<void>;
  /** Sections of the configuration. */
  readonly config?: string;
  readonly words?: (world: DrillWorld) => readonly string[];
  /** Tests that must fail, and no others. */
  readonly fails: readonly string[];
  /** What the first of them says; null where nothing fails. */
  readonly reason: RegExp | null;
}

export const newest = 'backups/incremental-*/';

/** Of each kind one or two. */
export const SABOTAGES: readonly Sabotage[] = [
  {
    way: 'a bit of the newest backup is flipped',
    damage: (world) => flipBit(world.file('vault', `${newest}events-00001.columns.*`)),
    // The drawn instants lie before the newest backup, or are reached from it.
    fails: ['backup_verification', ...RESTORES],
    reason: /is not sound: .*checksum/,
    words: () => ['--sample', '100'],
  },
  {
    way: 'all that is in the vault is gone',
    damage: (world) => rmSync(join(world.path, 'vault/backups'), { recursive: true }),
    fails: ['backup_verification', ...RESTORES],
    reason: /no backup in/,
  },
  {
    way: 'the change log has a gap, and no backup was taken since',
    damage: async (world) => {
      await world.append(2);
      await world.succeed(['archive', '--once']);
      await world.append(2);
      await world.succeed(['archive', '--once']);
      const lost = globSync('vault/log/*/*.log', { cwd: world.path }).sort().at(-2)!;
      rmSync(join(world.path, lost));
      const [from, to] = basename(lost, '.log')
        .split('-')
        .map((text) => BigInt(`0x${text}`)) as [bigint, bigint];
      const marker = { from, to, reason: 'slot_lost', message: 'the slot was lost', noticedAt: NOTICED };
      writeFileSync(join(world.path, lost.replace(/log$/, 'gap')), encodeGap(marker));
    },
    fails: ['point_in_time_recovery'],
    reason: /goes on until .* and that cannot be reached: there is a gap: the slot was lost/,
  },
  {
    way: 'the replica is damaged',
    damage: (world) => flipBit(world.file('near', `${newest}events-00001.columns.*`)),
    fails: ['cross_region_restore'],
    reason: /damaged|digest|checksum/,
  },
  {
    way: 'more was written than may be lost',
    damage: async (world) => {
      await world.append(4);
      await sleep(1100);
    },
    config: `${REGIONS}objectives: { rpo: 1s }\n`,
    fails: ['point_in_time_recovery'],
    reason: /objective rpo is missed/,
  },
  {
    way: 'the application no longer knows an event',
    damage: (world) => writeFileSync(join(world.path, 'fold.mjs'), FORGETFUL),
    config: `${REGIONS}drill: { checks: [{ module: ./fold.mjs }] }\n`,
    words: () => ['--sample', '100'],
    fails: EVERYWHERE,
    reason: /fold.mjs cannot fold an event of type "Added" .*unknown event/,
  },
  {
    way: 'the live store holds other events than were backed up',
    damage: (world) => {
      const database = new DatabaseSync(join(world.path, 'events.db'));
      database.exec(`UPDATE eventcore_events SET event_data = '{"cents":99}' WHERE stream_version = 2`);
      database.close();
    },
    words: () => ['--sample', '100'],
    fails: ['partial_restore'],
    reason: /is another one in the live store than in the backup/,
  },
  {
    way: 'nothing is signed, and signatures are demanded',
    damage: (world) => {
      writeFileSync(join(world.path, 'encryption'), `encryption: { require_signature: true }\n`);
      world.configure(REGIONS);
    },
    fails: ['backup_creation', 'backup_verification', ...EVERYWHERE],
    reason: /not signed/,
  },
];

/** More of the same kinds. */
export const FURTHER_SABOTAGES: readonly Sabotage[] = [
  {
    way: 'the full backup that the newest one builds on was pruned by hand',
    damage: (world) => removeParent(world),
    fails: ['backup_verification'],
    reason: /chain_broken: .*builds on, is not in the vault/,
  },
  {
    way: 'the manifest of that one is gone',
    damage: (world) => rmSync(join(parentOf(world), 'manifest.json')),
    fails: ['backup_verification'],
    reason: /chain_broken: .*builds on, has no manifest/,
  },
  {
    way: 'a manifest is cut off',
    damage: (world) => writeFileSync(world.file('vault', `${newest}manifest.json`), '{'),
    fails: ['backup_verification'],
    reason: /manifest of backup .* cannot be used/,
  },
  {
    way: 'files of the change log are missing, and no backup was taken since',
    damage: async (world) => {
      await world.append(2);
      await world.succeed(['archive', '--once']);
      await world.append(2);
      await world.succeed(['archive', '--once']);
      const files = globSync('vault/log/*/*.log*', { cwd: world.path }).sort();
      rmSync(join(world.path, files.at(-2)!));
    },
    fails: ['backup_verification', 'point_in_time_recovery'],
    reason: /nothing is there from .* and no gap is marked/,
  },
  {
    way: 'a file of the change log is damaged',
    damage: (world) => {
      const files = globSync('vault/log/*/*.log*', { cwd: world.path }).sort();
      flipBit(join(world.path, files.at(-1)!), 500);
    },
    fails: ['backup_verification', 'point_in_time_recovery'],
    reason: /log .* is not sound/,
  },
  {
    way: 'a clock was wrong when a backup was taken',
    damage: async (world) => {
      const clock = { ...testClock, now: () => Date.now() + 36 * 3_600_000 };
      const vault = openVault(join(world.path, 'vault'));
      await withStoreAt(world.store, (store) => takeFullBackup({ store, vault, clock }, backupDefaults));
    },
    fails: ['backup_verification'],
    reason: /minutes from now: a clock is wrong/,
  },
  {
    way: 'the replica was not brought up to date',
    damage: async (world) => {
      await world.append(4);
      await world.succeed(['backup', 'full']);
      await sleep(1100);
    },
    config: `${REGIONS}objectives: { region_rpo: 1s }\n`,
    fails: ['cross_region_restore'],
    reason: /objective region_rpo is missed/,
  },
  {
    way: 'the replica is gone',
    damage: (world) => rmSync(join(world.path, 'near'), { recursive: true }),
    fails: ['cross_region_restore'],
    reason: /near/,
  },
  {
    way: 'the sample is none',
    config: `${REGIONS}drill: { sample_restore_percentage: 0 }\n`,
    fails: ['partial_restore'],
    reason: /a sample of 0 % restores nothing/,
  },
  {
    way: 'the application needs a column that no backup has',
    config: `${REGIONS}drill: { checks: [{ name: tenants, sql: "SELECT count(*) FROM eventcore_events WHERE tenant IS NULL", expect: 0 }] }\n`,
    fails: [...WHOLE, 'cross_region_restore'],
    reason: /statement tenants fails on the restored store: .*tenant/,
  },
  {
    way: 'a rule of the business does not hold',
    config: `${REGIONS}drill: { checks: [{ name: few, sql: "SELECT count(*) > 5 FROM eventcore_events", expect: false }] }\n`,
    fails: [...WHOLE, 'cross_region_restore'],
    reason: /statement few does not give what it must/,
  },
];

const NOTICED = '2026-11-23T04:05:06.000Z';

export const FORGETFUL = `export const initialState = () => ({ cents: 0 });
export function evolve(state, { type, data }) {
  if (type !== 'Put') throw new Error('unknown event');
  return { cents: state.cents + data.cents };
}
`;

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

function parentOf(world: DrillWorld): string {
  const child = world.file('vault', `${newest}manifest.json`);
  const { parentId } = JSON.parse(readText(child)) as { parentId: string };
  return join(world.path, `vault/backups/full-backup-${parentId}.eventcore`);
}

export function removeParent(world: DrillWorld): void {
  rmSync(parentOf(world), { recursive: true });
}

export function assertFails(drilled: DrilledWorld, fails: readonly string[], reason: RegExp | null): void {
  assert.deepEqual([...drilled.failed], [...fails], JSON.stringify(drilled.reasons, null, 1));
  assert.deepEqual([drilled.code, drilled.overallSuccess], fails.length === 0 ? [0, true] : [4, false]);
  if (reason !== null) assert.match(drilled.reasons[fails[0]!]!, reason);
}

export function assertNothingLeft(world: DrillWorld): void {
  assert.deepEqual(globSync('{*drill-*{,/**},vault/drills/scratch/**}', { cwd: world.path }), []);
}

/** Has a drill find each of them, in a copy of a world in which all is well. */
export function itFinds(sabotages: readonly Sabotage[], sound: () => DrillWorld): void {
  for (const { way, damage, config, words, fails, reason } of sabotages) {
    it(way, async () => {
      const world = sound().copy();
      try {
        if (config !== undefined) world.configure(config);
        await damage?.(world);
        assertFails(await world.drill(words?.(world) ?? []), fails, reason);
        assertNothingLeft(world);
      } finally {
        world.remove();
      }
    });
  }
}
