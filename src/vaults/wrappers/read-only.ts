import { BackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import { passOn } from './pass.ts';

/** A vault in which nothing can be written, changed or removed. To ask for an archived object back is no change of it. */
export function readOnlyVault(inner: Vault): Vault {
  const refuse = async (what: string): Promise<never> => {
    throw new BackupError('vault_refused', `${inner.address} is opened for reading only: cannot ${what}`, {
      hint: 'use the vault itself for what writes',
    });
  };
  return passOn(inner, {
    open: () => inner.open({ create: false }),
    createObject: (name) => refuse(`write "${name}"`),
    copyObject: (_, to) => refuse(`write "${to}"`),
    copyFrom: (_, name) => refuse(`write "${name}"`),
    removeObject: (name) => refuse(`remove "${name}"`),
    removeLeftovers: (prefix) => refuse(`remove leftovers under "${prefix}"`),
    setLegalHold: (name) => refuse(`change the hold of "${name}"`),
  });
}
