import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { archive } from '../../src/capture/archiver.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { UnderLease } from '../../src/core/lease.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { writeEpoch } from '../../src/format/epoch.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { UPKEEP_LEASE, withLease } from '../../src/upkeep/lease.ts';
import { type SyncOptions, type SyncReport, syncVault } from '../../src/upkeep/sync.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental, grow, nextInstant } from './chain.ts';
import { recover } from './log-model.ts';
import { backUp, readObject, testClock, verifyAll } from './memory-backup.ts';

export interface Region {
  readonly store: EventStore;
  readonly vault: Vault;
}

/** A store, and a vault with two chains of it, a log that goes on behind them, and an epoch record. */
export async function makeRegion(vault: Vault = memoryVault()): Promise<Region> {
  const store = memoryStore();
  await store.initialise();
  await grow(store, 0, 4);
  await archiveOnce({ store, vault });
  await backUp(store, vault, { chunkBytes: 600 });
  await nextInstant();
  await grow(store, 4, 3);
  await addIncremental(store, vault, { format: 'jsonl', compression: 'none' });
  await grow(store, 7, 2);
  await archiveOnce({ store, vault });
  await backUp(store, vault);
  await nextInstant();
  await grow(store, 9, 2);
  await archiveOnce({ store, vault });
  const vanished = { events: 0, firstId: null, lastId: null, ids: [] };
  const reached = { reachedTime: '2026-01-01T00:00:00Z', reachedLsn: null, cutLsn: null };
  const about = { recoveredAt: '2026-01-01T00:00:00Z', store: 'memory:', chain: [], target: 'latest' };
  await writeEpoch(vault, { epoch: testClock.uuid(), ...about, ...reached, vanished });
  return { store, vault };
}

/** Catches the log up, in files of its own. */
export async function archiveOnce({ store, vault }: Region): Promise<void> {
  const options = { format: 'jsonl', compression: 'none', level: null, flushMs: 1, idleMs: 20 } as const;
  const how = { software: 'test', outage: { policy: 'hold' }, once: true } as const;
  await archive({ store, vault, clock: testClock }, { ...options, ...how });
}

export function leaseOf(vault: Vault): UnderLease {
  return (work) => withLease(vault, UPKEEP_LEASE, { clock: testClock, holder: 'a test' }, work);
}

export function sync(source: Vault, target: Vault, options: SyncOptions = {}): Promise<SyncReport> {
  return syncVault({ source, target, clock: testClock, underLease: leaseOf(target) }, options);
}

/** Digests of all objects but leases, by name. */
export async function contentOf(vault: Vault): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for await (const { name } of vault.list('')) {
    if (!name.startsWith('leases/')) content[name] = crypto.hash('sha256', await readObject(vault, name));
  }
  return content;
}

/** What a vault brings back, of all its backups and of the newest point of its log. */
export async function restored(vault: Vault): Promise<{ events: number; digest: string }> {
  const { store } = await recover(unchanged(vault), { kind: 'latest' });
  return digestStore(store);
}

/** Every backup that is committed is sound, and so is the log. Gives how many there are. */
export async function assertSound(vault: Vault, when: string): Promise<number> {
  const found = await verifyAll(vault);
  for (const { backupId, problems } of found) assert.deepEqual(problems, [], `${backupId}, ${when}`);
  for (const timeline of await readLogCatalog(vault)) {
    assert.deepEqual((await verifyLog(vault, timeline, { quick: false })).problems, [], when);
  }
  if ((await readCatalog(vault)).backups.length > 0) await restored(vault);
  return found.length;
}

/** Where a recovery leaves no record of itself. */
function unchanged(vault: Vault): Vault {
  const elsewhere = memoryVault();
  return { ...vault, createObject: (name) => elsewhere.createObject(name) };
}
