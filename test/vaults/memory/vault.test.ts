import { vaultContract } from '../../../src/testing/vault-contract.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';

vaultContract({
  name: 'memory',
  setup: async () => {
    const vault = memoryVault();
    await vault.open({ create: true });
    return { vault, reopen: async () => vault, dispose: async () => {} };
  },
});
