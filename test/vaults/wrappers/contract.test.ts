import type { Vault } from '../../../src/core/vault.ts';
import { type VaultContractOptions, vaultContract } from '../../../src/testing/vault-contract.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { vaultBelow } from '../../../src/vaults/wrappers/below.ts';
import { dryRunVault } from '../../../src/vaults/wrappers/dry-run.ts';
import { leaveSilent } from '../../../src/vaults/wrappers/leave-silent.ts';
import { meteredVault } from '../../../src/vaults/wrappers/metered.ts';
import { mirrorVault } from '../../../src/vaults/wrappers/mirror.ts';
import { openWhenUsed } from '../../../src/vaults/wrappers/open-when-used.ts';
import { makeRateBudget } from '../../../src/vaults/wrappers/rate.ts';
import { retryVault } from '../../../src/vaults/wrappers/retry.ts';
import { throttleVault } from '../../../src/vaults/wrappers/throttle.ts';
import { makeTemporaryDirectory } from '../fs/temporary-directory.ts';

/** In memory there is one handle, of which every other is a further wrapper. */
function around(name: string, wrap: (inner: Vault) => Vault): VaultContractOptions {
  return {
    name,
    setup: async () => {
      const inner = memoryVault();
      return { vault: wrap(inner), reopen: async () => wrap(inner), dispose: async () => {} };
    },
  };
}

const budget = makeRateBudget(4e9);
vaultContract(around('a vault that repeats calls', (inner) => retryVault(inner)));
vaultContract(around('a throttled vault', (inner) => throttleVault(inner, { budget })));
vaultContract(around('a metered vault', (inner) => meteredVault(inner).vault));
vaultContract(
  around('a vault that is left alone when it is silent', (inner) =>
    leaveSilent(inner, { openMs: 5000, restMs: 1000 }),
  ),
);
vaultContract(around('a vault that is opened when it is used', openWhenUsed));
vaultContract(around('a folder of a vault', (inner) => vaultBelow(inner, 'drills/scratch/one/')));
vaultContract({
  name: 'a dry run',
  setup: async () => {
    const { vault } = dryRunVault(memoryVault());
    return { vault, reopen: async () => vault, dispose: async () => {} };
  },
});

vaultContract({
  name: 'a mirror in a directory and in memory, that is to stop',
  setup: async () => {
    const folder = await makeTemporaryDirectory();
    const second = memoryVault();
    const open = async (): Promise<Vault> => {
      const vault = mirrorVault(openDirectoryVault(folder.path), second, { onFailure: 'stop' });
      await vault.open({ create: true });
      return vault;
    };
    return { vault: await open(), reopen: open, dispose: () => folder.remove() };
  },
});

vaultContract({
  name: 'a mirror that may go on',
  setup: async () => {
    const [first, second] = [memoryVault(), memoryVault()];
    const open = (): Vault => mirrorVault(first, second, { onFailure: 'go_on' });
    return { vault: open(), reopen: async () => open(), dispose: async () => {} };
  },
});
