import type { EventStore } from '../../core/event-store.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import type { RepairPorts } from '../../integrity/repair/ports.ts';
import { mergeStreams } from '../../recovery/merge-streams.ts';
import { systemClock } from '../wire.ts';

/** What a repair of a live store works with: what is missing is added by the merge of `restore --merge`. */
export function repairPorts(
  store: EventStore,
  vault: Vault,
  chain: Chain | null,
  recheck: RepairPorts['recheck'],
): RepairPorts {
  const ports = { target: store, vault, clock: systemClock };
  return {
    ...{ store, vault, chain, recheck, clock: systemClock },
    reinstate: async (streamIds, signal) => {
      if (chain === null) return 0;
      const options = { streamIds, dryRun: false, ...(signal === undefined ? {} : { signal }) };
      return (await mergeStreams(ports, { chain, log: null }, options)).eventsRestored;
    },
  };
}
