/**
 * Regions with servers, a public name, a place to restore to and vaults, as a state machine in memory. It notes what is done to it, and finds fault with
 * whatever must never happen. Processes come and go over one world: one that is killed does nothing any longer.
 */
import type { JournalEntry, RecoveryStep, ServerState } from '../../src/core/disaster.ts';
import { BackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { decodeEntry, parseEntryName, RUNS_PREFIX } from '../../src/format/disaster-journal.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { datedVault } from '../harness/dated-vault.ts';

export interface WorldServer {
  readonly address: string;
  readonly region: string;
  role: 'primary' | 'standby';
  systemIdentifier: string;
  timeline: number;
  /** Bytes of log that it has, and that it has replayed. */
  position: number;
  replayed: number;
  upstream: string | null;
  isUp: boolean;
  /** Behind rules of its own: asked by us, it answers. */
  isFenced: boolean;
  /** Cut off from outside: nobody reaches it, and it reaches nobody. */
  isCut: boolean;
  /** What only it has. */
  orphans: number;
}

export interface WorldPlace {
  readonly address: string;
  state: 'empty' | 'partial' | 'restored';
}

export interface World {
  readonly servers: Map<string, WorldServer>;
  readonly place: WorldPlace;
  readonly vaults: ReadonlyMap<string, Vault>;
  nowMs: number;
  name: string | null;
  scaled: boolean;
  examined: Set<string>;
  probed: Set<string>;
  notices: Set<string>;
  protectedStores: Set<string>;
  salvaged: Set<string>;
  /** Fences from outside can be applied. */
  canCut: boolean;
  /** Whether two writers were accepted. */
  acceptsTwo: boolean;
  readonly faults: string[];
}

export const EAST = 'postgres://postgres@east-1:5432/events';
export const WEST = 'postgres://postgres@west-1:5432/events';
export const WEST_2 = 'postgres://postgres@west-2:5432/events';
export const PLACE = 'postgres://postgres@west-r:5432/events';
export const VAULTS = ['memory:east', 'memory:north', 'memory:west'] as const;
export const HOME = 'memory:west';
export const VALUES: ReadonlyMap<string, string> = new Map([
  [EAST, 'east-1.'],
  [WEST, 'west-1.'],
  [WEST_2, 'west-2.'],
  [PLACE, 'west-r.'],
]);
export const SYSTEM = '7000000000000000001';

/** A primary in the east with two standbys in the west, all alive. */
export function makeWorld(): World {
  const world: World = {
    servers: new Map(),
    place: { address: PLACE, state: 'empty' },
    vaults: new Map(VAULTS.map((address) => [address, makeVault(address, () => world.nowMs)])),
    nowMs: Date.UTC(2026, 10, 29, 12),
    name: VALUES.get(EAST)!,
    scaled: false,
    examined: new Set(),
    probed: new Set(),
    notices: new Set(),
    protectedStores: new Set(),
    salvaged: new Set(),
    canCut: true,
    acceptsTwo: false,
    faults: [],
  };
  for (const [address, region] of [
    [EAST, 'east'],
    [WEST, 'west'],
    [WEST_2, 'west'],
  ] as const) {
    const isPrimary = address === EAST;
    world.servers.set(address, {
      ...{
        address,
        region,
        systemIdentifier: SYSTEM,
        timeline: 1,
        isUp: true,
        isFenced: false,
        isCut: false,
      },
      role: isPrimary ? 'primary' : 'standby',
      ...{ position: isPrimary ? 5000 : address === WEST ? 4700 : 4600, replayed: 4500 },
      ...{ upstream: isPrimary ? null : EAST, orphans: 0 },
    });
  }
  return world;
}

function makeVault(address: string, now: () => number): Vault {
  return { ...datedVault(memoryVault(), now), address };
}

/** The region of the primary is gone: its server dead, its vault not to be reached by the world's ports. */
export function killEast(world: World): void {
  const east = world.servers.get(EAST)!;
  east.isUp = false;
  east.orphans = 7;
}

export function lsn(bytes: number): string {
  return `0/${bytes.toString(16).toUpperCase()}`;
}

/** Throws where it cannot be reached. What streams gets further with each look at it. */
export function lookAtServer(world: World, address: string): WorldServer {
  const server = world.servers.get(address);
  if (server === undefined || !server.isUp || server.isCut)
    throw new BackupError('store_unreachable', `${address} cannot be reached`);
  const upstream = server.upstream === null ? null : world.servers.get(server.upstream)!;
  if (server.role === 'standby') {
    server.replayed = server.position;
    const streams = upstream?.isUp === true && !upstream.isCut && upstream.timeline >= server.timeline;
    if (streams) server.position = Math.min(upstream.position, server.position + 200);
  }
  return server;
}

export function stateOf(server: WorldServer): ServerState {
  const isStandby = server.role === 'standby';
  return {
    ...{ role: server.role, systemIdentifier: server.systemIdentifier, timeline: server.timeline },
    ...{
      serverVersion: '15.10',
      position: lsn(server.position),
      replayed: isStandby ? lsn(server.replayed) : null,
    },
    ...{
      isReplayPaused: false,
      applyDelayMs: 0,
      upstream: null,
      isFenced: server.isFenced,
      clients: 0,
      clockAheadMs: 0,
    },
  };
}

/** It takes writes of anybody. */
export function isOpen({ role, isUp, isFenced, isCut }: WorldServer): boolean {
  return role === 'primary' && isUp && !isFenced && !isCut;
}

/** Could take writes, as soon as it is started. */
function isLoose({ role, isFenced, isCut }: WorldServer): boolean {
  return role === 'primary' && !isFenced && !isCut;
}

/** To be called after each change. */
export function findTwoWriters(world: World): void {
  const open = [...world.servers.values()].filter(isOpen).map(({ address }) => address);
  if (world.place.state === 'restored') open.push(world.place.address);
  if (open.length > 1 && !world.acceptsTwo) world.faults.push(`two take writes: ${open.join(' and ')}`);
}

export function assertNoneLoose(world: World, what: string, but: string): void {
  const loose = [...world.servers.values()].filter((server) => server.address !== but && isLoose(server));
  if (loose.length > 0 && !world.acceptsTwo)
    world.faults.push(`${what} while ${loose.map(({ address }) => address).join()} is not fenced`);
}

/** The newest entry of the newest run must be the intent of this step, or of one of these. */
export async function assertIntended(
  world: World,
  steps: RecoveryStep | readonly RecoveryStep[],
  what: string,
): Promise<void> {
  const last = await lastEntry(world);
  // Without a step: applications are let back in.
  const isIt = last?.kind === 'intent' && (last.step === null || [steps].flat().includes(last.step));
  if (isIt) return;
  world.faults.push(`${what} without an intent: the newest entry is ${last?.kind} of ${last?.step}`);
}

export async function lastEntry(world: World): Promise<JournalEntry | null> {
  const vault = world.vaults.get(HOME)!;
  const newest = new Map<string, { readonly name: string; readonly sizeBytes: number }>();
  for await (const info of vault.list(RUNS_PREFIX)) {
    const parsed = parseEntryName(info.name);
    if (parsed !== null) newest.set(parsed.planId, info);
  }
  const entries = await Promise.all(
    [...newest.values()].map(async ({ name, sizeBytes }) =>
      decodeEntry(await vault.readRange(name, 0, sizeBytes)),
    ),
  );
  return entries.toSorted((a, b) => (a.at < b.at ? -1 : 1)).at(-1) ?? null;
}

/** What must be the same however often a run died on its way. */
export function endState(world: World): object {
  return {
    servers: [...world.servers.values()].map(
      ({ address, role, timeline, upstream, isUp, isFenced, isCut, orphans }) => ({
        ...{ address, role, timeline, upstream, isUp, isFenced, isCut, orphans },
      }),
    ),
    ...{ place: world.place.state, name: world.name, scaled: world.scaled, faults: world.faults },
    notices: world.notices.size,
    protectedStores: [...world.protectedStores],
    salvaged: [...world.salvaged],
  };
}

/** Frees leases that a killed process holds. */
export function passTime(world: World, ms = 3_600_000): void {
  world.nowMs += ms;
}
