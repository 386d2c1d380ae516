import type { Salvager } from '../../core/disaster-ports.ts';
import { salvage } from '../../disaster/salvage.ts';
import { beginStep } from '../context.ts';
import { systemClock } from '../wire.ts';
import { type DrWork, drVault, withDrStore } from './restore-places.ts';

/** Stores are read and merged as they are: `from` may also be a file of SQLite, or an isolated copy of a dead server. */
export function drSalvager(work: DrWork): Salvager {
  const { context, keys } = work;
  return {
    salvage: async ({ planId, from, into, vault: address, merge, recovery }, { signal }) => {
      const vault = await drVault(work, address);
      const report = await withDrStore(work, from, signal, (old) =>
        withDrStore(work, into, signal, (fresh) =>
          salvage(
            { old, fresh, vault, keys, clock: systemClock, software: context.software },
            { planId, merge, recovery, signal, onStep: (step) => beginStep(context, step) },
          ),
        ),
      );
      context.progress.end();
      const { events, streams, conflicts, merged, spanMs, object, vanished, epochRecord, ghosts } = report;
      return { events, streams, conflicts, merged, spanMs, object, vanished, epochRecord, ghosts };
    },
  };
}
