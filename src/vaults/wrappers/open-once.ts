import type { Vault } from '../../core/vault.ts';
import { passOn } from './pass.ts';

/**
 * A vault that several parts of a program open when they first need it: opened by the first, until it is closed. An attempt that failed
 * is made again by the next one who asks. To open a bucket twice would end what is under way in it.
 */
export function openOnce(inner: Vault): Vault {
  let opening: Promise<void> | null = null;
  return passOn(inner, {
    open: (options) => {
      opening ??= inner.open(options).catch((error: unknown) => {
        opening = null;
        throw error;
      });
      return opening;
    },
    close: () => {
      opening = null;
      return inner.close();
    },
  });
}
