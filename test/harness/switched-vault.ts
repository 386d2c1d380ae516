import { BackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { passOn } from '../../src/vaults/wrappers/pass.ts';

/** A way to a vault that tests cut: `away` fails at once, `hangs` never answers. */
export interface SwitchedVault {
  readonly vault: Vault;
  manner: 'well' | 'away' | 'hangs';
}

export function switchedVault(inner: Vault): SwitchedVault {
  const way: SwitchedVault = { manner: 'well', vault: passOn(inner, {}) };
  const pass = async (): Promise<void> => {
    if (way.manner === 'away')
      throw new BackupError('vault_unreachable', `${inner.address} cannot be reached`);
    if (way.manner === 'hangs') await new Promise(() => {});
  };
  return Object.assign(way, {
    vault: passOn(inner, {
      open: (options) => pass().then(() => inner.open(options)),
      createObject: (name) => pass().then(() => inner.createObject(name)),
      readRange: (name, offset, length) => pass().then(() => inner.readRange(name, offset, length)),
      stat: (name) => pass().then(() => inner.stat(name)),
      async *list(prefix) {
        await pass();
        yield* inner.list(prefix);
      },
      removeObject: (name) => pass().then(() => inner.removeObject(name)),
    }),
  });
}
