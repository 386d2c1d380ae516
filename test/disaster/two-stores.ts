import type { SalvageRecovery } from '../../src/core/disaster-ports.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type SalvageReport, salvage } from '../../src/disaster/salvage.ts';
import type { EventLookup } from '../../src/disaster/salvage-lookup.ts';
import type { ReadKeys } from '../../src/format/open-bundle.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { readAll } from '../../src/testing/event-store/restoring.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { fill, testClock } from '../harness/memory-backup.ts';
import { keysOf, makeRing } from '../harness/test-keys.ts';

/** An old store and a new one, in memory, for salvages. */

export const PLAIN = keysOf(makeRing([]));
export const PLAN = '0199aaaa-0000-7000-8000-000000000001';

export async function storeOf(
  events: readonly TestEvent[],
  store: EventStore = memoryStore(),
): Promise<EventStore> {
  await store.initialise();
  await fill(store, events);
  return store;
}

let ids = 0;

/** Events of one stream, each with an id of its own. */
export function run(streamId: string, first: number, count: number, data = '{}'): TestEvent[] {
  return Array.from({ length: count }, (_, i) => {
    ids += 1;
    const id = `00000000-0000-7000-8000-${ids.toString(16).padStart(12, '0')}`;
    return { id, streamId, version: first + i, data, time: BigInt(ids) * 1000n };
  });
}

interface Case {
  readonly both: readonly TestEvent[];
  readonly old?: readonly TestEvent[];
  readonly fresh?: readonly TestEvent[];
}

export async function open({ both, old = [], fresh = [] }: Case) {
  return {
    old: await storeOf([...both, ...old]),
    fresh: await storeOf([...both, ...fresh]),
    vault: memoryVault(),
  };
}

/** In memory, where nothing answers statements. */
export function lookupIn(store: EventStore): EventLookup {
  const find: EventLookup['find'] = async (ids) =>
    new Map(
      (await readAll(store))
        .filter(({ id }) => ids.includes(String(id)))
        .map(({ id, streamId, version, type, data, metadata }) => [
          String(id),
          {
            ...{ streamId: String(streamId), version, type: String(type) },
            ...{ data: String(data), metadata: String(metadata) },
          },
        ]),
    );
  return { find, close: async () => {} };
}

interface World {
  readonly old: EventStore;
  readonly fresh: EventStore;
  readonly vault: Vault;
}

export const RECOVERY: SalvageRecovery = {
  ...{ strategy: 'regional_failover', recoveredAt: '2026-11-29T03:04:05.678Z', cutLsn: '0/5A3F2C8' },
};

export function carryOut(world: World, merge = false, keys: ReadKeys = PLAIN): Promise<SalvageReport> {
  const { signal } = new AbortController();
  const ports = { ...world, keys, clock: testClock, software: 'test', lookup: lookupIn };
  return salvage(ports, { planId: PLAN, merge, recovery: RECOVERY, signal });
}

export async function namesIn(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list('')) names.push(name);
  return names;
}
