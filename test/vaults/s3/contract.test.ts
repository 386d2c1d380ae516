import { vaultContract } from '../../../src/testing/vault-contract.ts';
import { startVault } from './servers.ts';

vaultContract({ name: 's3', setup: () => startVault() });

vaultContract({
  name: 's3, locked, of a server that writes over what is there',
  setup: () =>
    startVault({
      server: { ignores: ['if-none-match', 'if-none-match-on-complete', 'checksums'] },
      ...{ bucket: { versioning: true, lock: true }, query: 'lock=governance&lockDays=1' },
    }),
});
