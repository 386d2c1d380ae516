import assert from 'node:assert/strict';
import { type IncrementalOptions, takeIncrementalBackup } from '../../src/backup/incremental.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type CatalogEntry, readCatalog } from '../../src/format/catalog.ts';
import { requireChain } from '../../src/format/chain.ts';
import { openChain, type ReadKeys } from '../../src/format/open-bundle.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, backupDefaults, testClock } from './memory-backup.ts';

/** Adds an incremental backup, verified as the command does it, to the newest one or to `parent`. Gives its id. */
export async function addIncremental(
  store: EventStore,
  vault: Vault,
  { parent, ...options }: Partial<IncrementalOptions> & { parent?: string } = {},
  keys?: ReadKeys,
  clock = testClock,
): Promise<string> {
  const catalog = await readCatalog(vault);
  const wanted = parent ?? catalog.backups.at(-1)!.manifest.backupId;
  const found = requireChain(catalog, await entryOf(vault, wanted));
  const chain = await openChain(vault, found, keys ?? null, 'heads');
  const outcome = await takeIncrementalBackup(
    {
      ...{ store, vault, clock, keys },
      verify: (backup, before) => {
        const checks = { quick: false, parallel: 1, before };
        return verifyBackup({ vault, clock: testClock }, backup, checks);
      },
    },
    chain,
    { ...backupDefaults, ...options },
  );
  assert.equal(outcome.kind, 'taken');
  await nextInstant();
  return outcome.report.manifest.backupId;
}

export async function entryOf(vault: Vault, backupId: string): Promise<CatalogEntry> {
  const found = (await readCatalog(vault)).backups.find(({ manifest }) => manifest.backupId === backupId);
  assert.ok(found, `${backupId} is in the vault`);
  return found;
}

/** Backups are ordered by the millisecond in which they were taken. */
export async function nextInstant(): Promise<void> {
  const now = Date.now();
  while (Date.now() === now) await new Promise((resolve) => setTimeout(resolve, 1));
}

export interface ChainOfFour {
  readonly store: EventStore;
  readonly vault: Vault;
  /** The full backup first. */
  readonly ids: readonly string[];
}

/** A full backup and three incremental ones, in four formats: streams grow, are new, and the last one adds nothing. */
export async function makeChainOfFour(): Promise<ChainOfFour> {
  const store = memoryStore();
  const vault = memoryVault();
  await store.initialise();
  await grow(store, 0, 6);
  const { manifest } = await backUp(store, vault, { chunkBytes: 600 });
  await nextInstant();
  await grow(store, 6, 5);
  const second = await addIncremental(store, vault, { format: 'jsonl', compression: 'none' });
  await grow(store, 11, 4);
  const third = await addIncremental(store, vault, {
    format: 'msgpack',
    compression: 'gzip',
    chunkBytes: 300,
  });
  const fourth = await addIncremental(store, vault);
  return { store, vault, ids: [manifest.backupId, second, third, fourth] };
}

/** Appends to streams that are there and to one that is not. */
export async function grow(store: EventStore, from: number, rounds: number): Promise<void> {
  for (let i = from; i < from + rounds; i += 1) {
    await store.append([
      { streamId: `order-${i % 4}`, events: [{ type: 'Placed', data: `{"i":${i}}` }] },
      {
        streamId: `born-in-${from}`,
        events: [{ type: 'Grown', data: `{"i":${i},"x":"${'y'.repeat(i * 5)}"}` }],
      },
    ]);
  }
}
