import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../../src/core/clock.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { UnderLease } from '../../../src/core/lease.ts';
import type { RetentionRule } from '../../../src/core/retention-rule.ts';
import type { Vault } from '../../../src/core/vault.ts';
import type { Writers } from '../../../src/core/writers.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { makeRandom, type Random } from '../../../src/testing/random.ts';
import { UPKEEP_LEASE, withLease } from '../../../src/upkeep/lease.ts';
import { faultyVault } from '../faulty-vault.ts';
import { type TimedVault, timedVault } from '../simulated-time.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export type RegionName = 'primary' | 'west' | 'archive';

export interface ModelRegion {
  readonly name: RegionName;
  readonly timed: TimedVault;
  readonly rule: RetentionRule;
  /** Ids of backups that this region must be able to bring back. */
  readonly owed: Set<string>;
  /** Ids of those that it owed before an object was lost or damaged. */
  readonly hurt: Set<string>;
  /** Folders with a lost or damaged object. */
  readonly damaged: Set<string>;
  /** Backups that are held, by the ids of holds. */
  readonly holds: Map<string, string>;
}

/** A backup, as whoever took it would describe it. */
export interface ModelPoint {
  readonly backupId: string;
  readonly parentId: string | null;
  readonly createdAtMs: number;
  readonly events: number;
  readonly digest: string;
}

/** A store, vaults in three regions, a clock that is set, and what must be there, told without any of the code that decides it. */
export interface World {
  readonly random: Random;
  readonly clock: Clock;
  readonly writers: Writers;
  readonly store: EventStore;
  readonly regions: Readonly<Record<RegionName, ModelRegion>>;
  readonly points: Map<string, ModelPoint>;
  /** How often what happened. */
  readonly counts: Map<string, number>;
  nowMs: number;
}

export const ARCHIVE_AFTER_MS = 3 * DAY;

const RULES: Readonly<Record<RegionName, RetentionRule>> = {
  primary: { withinMs: 5 * DAY, last: 3 },
  west: { withinMs: 8 * DAY, daily: 5, minimumRedundancy: 2 },
  archive: { withinMs: 30 * DAY },
};

export async function makeWorld(seed: number): Promise<World> {
  const random = makeRandom(seed);
  const region = (name: RegionName): ModelRegion => ({
    ...{ name, timed: timedVault(), rule: RULES[name] },
    ...{ owed: new Set<string>(), hurt: new Set<string>(), damaged: new Set<string>() },
    ...{ holds: new Map<string, string>() },
  });
  const world: World = {
    random,
    clock: { now: () => world.nowMs, uuid: () => uuid(random) },
    // Whoever wrote something has ended: all runs here do.
    writers: { self: 'this test', stateOf: () => 'dead' },
    store: memoryStore({ now: () => world.nowMs }),
    regions: { primary: region('primary'), west: region('west'), archive: region('archive') },
    ...{ points: new Map(), counts: new Map(), nowMs: Date.UTC(2026, 0, 1) },
  };
  await world.store.initialise();
  passTime(world, 0);
  return world;
}

export function passTime(world: World, ms: number): void {
  world.nowMs += ms;
  for (const { timed } of Object.values(world.regions)) timed.nowMs = world.nowMs;
}

export function count(world: World, what: string): void {
  world.counts.set(what, (world.counts.get(what) ?? 0) + 1);
}

export function pick<Item>(random: Random, items: readonly Item[]): Item | undefined {
  return items[random.below(Math.max(1, items.length))];
}

/** A backup and all that it builds on. */
export function withParents({ points }: World, backupId: string): string[] {
  const ids: string[] = [];
  for (let id: string | null = backupId; id !== null; id = points.get(id)?.parentId ?? null) ids.push(id);
  return ids;
}

export function leaseOf({ clock, ...world }: World, vault: Vault): UnderLease {
  const ports = { clock, holder: 'the model', steadyMs: clock.now };
  count({ clock, ...world }, 'leases');
  return (work) => withLease(vault, UPKEEP_LEASE, ports, work);
}

/** Dies at one of its next calls, now and then for good; or at none, where it ends before that. */
export function dyingVault({ random }: World, vault: Vault): Vault {
  return faultyVault(vault, { failAt: 1 + random.below(120), forGood: random.below(2) === 0 }).vault;
}

/** Lets others have their turn before each call, so that two runs meet in every order. */
export function haltingVault({ random }: World, vault: Vault): Vault {
  const halting = async (): Promise<void> => {
    for (let turns = random.below(4); turns > 0; turns -= 1) await turn();
  };
  return {
    ...vault,
    createObject: async (name) => {
      await halting();
      const writer = await vault.createObject(name);
      const commit = async (): Promise<void> => {
        await halting();
        await writer.commit();
      };
      return { ...writer, commit };
    },
    readRange: (...args) => halting().then(() => vault.readRange(...args)),
    stat: (name) => halting().then(() => vault.stat(name)),
    async *list(prefix) {
      await halting();
      yield* vault.list(prefix);
    },
    removeObject: (name) => halting().then(() => vault.removeObject(name)),
  };
}

function uuid({ bits }: Random): string {
  const hex = [bits(), bits(), bits(), bits()].map((word) => word.toString(16).padStart(8, '0')).join('');
  const text = hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-a$4-$5');
  assert.equal(text.length, 36);
  return text;
}
