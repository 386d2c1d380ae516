import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackupError } from '../../../src/core/errors.ts';
import { readCatalog } from '../../../src/format/catalog.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { clearBelow, vaultBelow } from '../../../src/vaults/wrappers/below.ts';
import { backUp } from '../../harness/memory-backup.ts';

const PREFIX = 'drills/scratch/one/';

test('what is backed up into a folder of a vault is no backup of the vault, and can be cleared away', async () => {
  const vault = memoryVault();
  const store = memoryStore();
  await store.initialise();
  await store.append([{ streamId: 'a', events: [{ type: 'Noted', data: '{}' }] }]);
  await backUp(store, vaultBelow(vault, PREFIX));
  assert.equal((await readCatalog(vaultBelow(vault, PREFIX))).backups.length, 1);
  const own = await readCatalog(vault);
  assert.deepEqual([own.backups, own.unfinished, own.damaged], [[], [], []]);
  await backUp(store, vault);
  assert.equal(await clearBelow(vault, PREFIX), 0);
  assert.equal((await readCatalog(vaultBelow(vault, PREFIX))).backups.length, 0);
  assert.equal((await readCatalog(vault)).backups.length, 1);
});

test('what a vault does not let go of is counted, and the rest goes', async () => {
  const vault = memoryVault();
  const below = vaultBelow(vault, PREFIX);
  for (const name of ['a', 'b', 'c']) await (await below.createObject(name)).commit();
  const locked = {
    ...vault,
    removeObject: async (name: string) => {
      if (name.endsWith('b')) throw new BackupError('vault_refused', 'locked');
      await vault.removeObject(name);
    },
  };
  assert.equal(await clearBelow(locked, PREFIX), 1);
  const left: string[] = [];
  for await (const { name } of vault.list('')) left.push(name);
  assert.deepEqual(left, [`${PREFIX}b`]);
});
