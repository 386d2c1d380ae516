import assert from 'node:assert/strict';
import type { EventStore } from '../../src/core/event-store.ts';
import type { ChunkFormat, Compression, ManifestFile } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { type HealReport, healVault } from '../../src/upkeep/heal.ts';
import { storeDonor } from '../../src/upkeep/store-donor.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { nextInstant } from '../harness/chain.ts';
import { backUpChanges } from '../harness/chain-backup.ts';
import { backUp, overwrite, readObject, testClock } from '../harness/memory-backup.ts';
import { contentOf, leaseOf } from '../harness/region.ts';

/** A full backup of a store and two incremental ones, in three formats, and events that none of them has. */
export async function chainOf(store: EventStore, grow: (round: number) => Promise<void>): Promise<Vault> {
  const vault = memoryVault();
  const kinds: readonly (readonly [ChunkFormat, Compression])[] = [
    ['columns', 'zstd'],
    ['jsonl', 'gzip'],
    ['msgpack', 'none'],
  ];
  for (const [round, [format, compression]] of kinds.entries()) {
    await grow(round);
    const options = { format, compression, chunkBytes: 3000 };
    await (round === 0 ? backUp(store, vault, options) : backUpChanges(store, vault, options));
    await nextInstant();
  }
  await grow(kinds.length);
  return vault;
}

export async function healFromStore(vault: Vault, store: EventStore): Promise<HealReport> {
  const donor = storeDonor({ vault, store });
  const folders = (await readCatalog(vault)).backups.map(({ folder }) => folder);
  try {
    return await leaseOf(vault)((lease) =>
      healVault({ vault, donors: [donor], lease, clock: testClock }, { folders }),
    );
  } finally {
    await donor.close();
  }
}

export async function flip(vault: Vault, name: string): Promise<void> {
  const bytes = await readObject(vault, name);
  bytes[bytes.length >> 1]! ^= 1;
  await overwrite(vault, name, bytes);
}

/** Whole names of the files of all backups that have this role. */
export async function filesOf(vault: Vault, role: ManifestFile['role']): Promise<string[]> {
  const { backups } = await readCatalog(vault);
  return backups.flatMap(({ folder, manifest }) =>
    manifest.files.filter((file) => file.role === role).map(({ name }) => folder + name),
  );
}

/** Each event file, heads file and its table is damaged, then perhaps lost, and comes back to the byte from the store. */
export async function healsToTheByte(store: EventStore, vault: Vault, alsoLost = true): Promise<number> {
  const wanted = await contentOf(vault);
  const heads = await filesOf(vault, 'heads');
  const tables = Object.keys(wanted).filter((name) => /\/heads\.[^/]*index/.test(name));
  const names = [...(await filesOf(vault, 'events')), ...heads, ...tables];
  for (const name of names) {
    await flip(vault, name);
    const { healed, unhealed } = await healFromStore(vault, store);
    assert.deepEqual([healed, unhealed], [[{ name, from: store.address, was: 'damaged' }], []], name);
    assert.deepEqual(await contentOf(vault), wanted, name);
    if (!alsoLost) continue;
    await vault.removeObject(name);
    assert.equal((await healFromStore(vault, store)).healed[0]?.was, 'missing', name);
    assert.deepEqual(await contentOf(vault), wanted, name);
  }
  return names.length;
}
