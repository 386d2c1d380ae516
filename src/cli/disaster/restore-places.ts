import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Vault } from '../../core/vault.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { isSameStore, redactAddress } from '../address.ts';
import type { Settings } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import { openStore } from '../wire.ts';
import type { DisasterSettings } from './config.ts';

/** What the ports of a recovery that deal with events work with. */
export interface DrWork {
  readonly context: CommandContext;
  readonly settings: Settings;
  readonly disaster: DisasterSettings;
  /** Of the configuration; `open` are those that could be opened. */
  readonly vaults: {
    readonly all: readonly { readonly vault: Vault }[];
    readonly open: readonly { readonly vault: Vault }[];
  };
  readonly keys: ReadKeys;
}

/** Plans and journals have addresses without passwords: what they stand for, the configuration says. */

/** As it is to be opened. One that the configuration does not name is taken as it is: it needs no password. */
export function fullStoreAddress({ settings, disaster }: DrWork, shown: string): string {
  const { store, standby } = settings;
  const places = disaster.regions.flatMap(({ servers, restoreTo }) => [...servers, restoreTo]);
  const named = [...places.map((place) => place?.address ?? null), disaster.public, store, standby];
  const known = named.filter((address) => address !== null);
  return (
    known.find((address) => redactAddress(address) === shown) ??
    known.find((address) => isSameStore(address, shown)) ??
    shown
  );
}

/**
 * Until the signal fires: then nobody waits any longer, not for a server that says nothing either, and the store is closed, so that what
 * does not heed the signal ends with its connections and does nothing more.
 */
export async function withDrStore<Result>(
  work: DrWork,
  shown: string,
  signal: AbortSignal,
  use: (store: EventStore, address: string) => Promise<Result>,
): Promise<Result> {
  throwIfAborted(signal);
  const address = fullStoreAddress(work, shown);
  const store = await openStore(address);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const cut = (): void => reject(new BackupError('interrupted', `work on ${store.address} was interrupted`));
  signal.addEventListener('abort', cut, { once: true });
  try {
    return await Promise.race([use(store, address), aborted]);
  } finally {
    signal.removeEventListener('abort', cut);
    const closing = store.close();
    if (signal.aborted) closing.catch(() => {});
    else await closing;
  }
}

/** A vault of the configuration, open; one that could not be opened at the beginning is tried again. Throws `usage` for another one. */
export async function drVault({ vaults }: DrWork, shown: string): Promise<Vault> {
  const placed = vaults.all.find(({ vault }) => vault.address === shown);
  if (placed === undefined) {
    throw new BackupError('usage', `${shown} is no vault of the configuration`, {
      hint: `its vaults are ${vaults.all.map(({ vault }) => vault.address).join(', ')}`,
    });
  }
  if (!vaults.open.some(({ vault }) => vault === placed.vault)) await placed.vault.open({ create: false });
  return placed.vault;
}

/** The same command, stopped by this signal. */
export function contextUntil(context: CommandContext, signal: AbortSignal): CommandContext {
  return { ...context, signal };
}
