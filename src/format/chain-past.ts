import type { PastStore } from '../core/past-store.ts';
import type { StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from './chain.ts';
import { searchStreams } from './chain-events.ts';

/** What a store held when the newest backup of a chain was taken. `table`: what the chain holds, of all streams or of some. */
export function pastOfChain(
  vault: Vault,
  chain: Chain,
  table: StreamTable,
  signal?: AbortSignal | undefined,
): PastStore {
  return {
    table,
    cursor: chain.at(-1)!.manifest.cursor,
    read: (names, take) => searchStreams(vault, chain, { names: () => names, take, signal }),
  };
}
