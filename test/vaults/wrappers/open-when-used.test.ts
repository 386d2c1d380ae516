import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { openWhenUsed } from '../../../src/vaults/wrappers/open-when-used.ts';

async function names(vault: Vault): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of vault.list('')) found.push(name);
  return found;
}

it('a vault that was away is opened by the first call after it is back, once', async () => {
  let isAway = true;
  let opened = 0;
  const open = async (): Promise<void> => {
    if (isAway) throw new BackupError('vault_unreachable', 'away');
    opened += 1;
  };
  const vault = openWhenUsed({ ...memoryVault(), open });
  await assert.rejects(vault.stat('a'), { code: 'vault_unreachable' });
  await assert.rejects(names(vault), { code: 'vault_unreachable' });
  isAway = false;
  assert.equal(await vault.stat('a'), null);
  assert.deepEqual(await names(vault), []);
  assert.equal(opened, 1);
});
