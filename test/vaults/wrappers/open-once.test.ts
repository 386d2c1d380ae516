import assert from 'node:assert/strict';
import { it } from 'node:test';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { openOnce } from '../../../src/vaults/wrappers/open-once.ts';

function counted(fails: (time: number) => boolean) {
  let times = 0;
  const open = async (): Promise<void> => {
    times += 1;
    if (fails(times)) throw new Error('away');
  };
  return { vault: openOnce({ ...memoryVault(), open }), times: () => times };
}

it('a vault is opened by the first who asks, also where several do at once, and anew after it was closed', async () => {
  const { vault, times } = counted(() => false);
  await Promise.all([vault.open({ create: false }), vault.open({ create: true })]);
  await vault.open({ create: false });
  assert.equal(times(), 1);
  await vault.close();
  await vault.open({ create: false });
  assert.equal(times(), 2);
});

it('a vault that could not be opened is opened by the next who asks', async () => {
  const { vault, times } = counted((time) => time === 1);
  await assert.rejects(vault.open({ create: false }), /away/);
  await vault.open({ create: false });
  assert.equal(times(), 2);
});
