import { BackupError } from '../../../src/core/errors.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { toVaultError } from '../../../src/vaults/fs/errors.ts';
import { passOn } from '../../../src/vaults/wrappers/pass.ts';
import { isOut } from './faults.ts';
import type { World } from './world.ts';

/** The ways that a process has to a store and to vaults: they fail while those are away, and end with the process. */

/** Runs before each call; what it throws is what the call throws, and where it never ends, the call does not either. */
type Gate = (isWrite: boolean) => Promise<void>;

export function gated(vault: Vault, gate: Gate): Vault {
  return passOn(vault, {
    open: (options) => gate(false).then(() => vault.open(options)),
    createObject: async (name) => {
      await gate(true);
      const writer = await vault.createObject(name);
      return {
        write: (bytes) => gate(true).then(() => writer.write(bytes)),
        commit: () => gate(true).then(() => writer.commit()),
        abort: () => gate(false).then(() => writer.abort()),
      };
    },
    readRange: (...args) => gate(false).then(() => vault.readRange(...args)),
    stat: (name) => gate(false).then(() => vault.stat(name)),
    list: (prefix) => listed(vault.list(prefix), gate),
    copyObject: (from, to) => gate(true).then(() => vault.copyObject(from, to)),
    removeObject: (name) => gate(false).then(() => vault.removeObject(name)),
    removeLeftovers: (prefix) => gate(false).then(() => vault.removeLeftovers(prefix)),
  });
}

/** Asked at its begin only, and not for each of hundreds of names. */
function listed<Item>(items: AsyncIterable<Item>, gate: Gate): AsyncIterable<Item> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = items[Symbol.asyncIterator]();
      let isOpen = false;
      return {
        next: () => {
          if (isOpen) return inner.next();
          isOpen = true;
          return gate(false).then(() => inner.next());
        },
        return: async () => (await inner.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
}

/** As an operating system reports a disk without room. */
function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { errno: -28, code: 'ENOSPC' });
}

/** What a process that died had asked for never comes. */
export function wayToVault(
  { faults, time, ...world }: World,
  place: 'vault' | 'west',
  isDead: () => boolean,
): Vault {
  return gated(world[place], async (isWrite) => {
    if (isDead()) await new Promise(() => {});
    if (isOut(faults, place, time.now(), 'away'))
      throw new BackupError('vault_unreachable', `${place} cannot be reached`);
    if (isWrite && isOut(faults, place, time.now(), 'full')) throw toVaultError(noSpace(), 'write an object');
  });
}

export function wayToStore({ faults, time, store }: World): EventStore {
  const pass = (): void => {
    if (isOut(faults, 'store', time.now(), 'away'))
      throw new BackupError('store_unreachable', 'the store cannot be reached');
  };
  return {
    ...store,
    inspect: async () => {
      pass();
      return store.inspect();
    },
    openSnapshot: async () => {
      pass();
      return store.openSnapshot();
    },
  };
}
