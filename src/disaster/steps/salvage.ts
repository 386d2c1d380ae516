import type { Salvage } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import type { StepCode, StepContext } from '../context.ts';
import { listFacts, readListFacts } from '../run-state.ts';
import { MERGES_SALVAGED } from '../steps-table.ts';
import { ghostFacts, ghostWords, recoveryOf, vanishedWords } from '../vanished.ts';
import { lookAt, plural, targetOf } from './look.ts';

/** Events that only an old primary has: counted, kept beside the journal, and added where that is wanted and conflicts with nothing. */
export const salvageStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    const found: Salvage[] = [];
    for (const from of oldPrimaries(context)) {
      context.assertHeld();
      found.push(await salvageFrom(from, context));
    }
    const { events, merged, conflicts } = sumOf(found);
    const kept = found.flatMap(({ object }) => (object === null ? [] : [object]));
    const words = `${plural(events, 'event')} found, ${merged} added, ${plural(conflicts, 'stream')} for people to judge`;
    const records = new Set(found.flatMap(({ epochRecord }) => epochRecord ?? []));
    const facts = {
      ...{ ...sumOf(found), ...listFacts('object', kept), ...listFacts('epochRecord', [...records]) },
      ...ghostFacts([...new Set(found.flatMap(({ ghosts }) => ghosts))]),
    };
    const first = events === 0 ? 'no old primary has anything that the new one lacks' : words;
    return { text: [first, ...vanishedWords(facts), ...ghostWords(facts)].join('; '), facts };
  },
  // What was never shown to be fenced may have taken more since.
  isPerishable: ({ run }) =>
    run.steps.rejoin.state !== 'done' && readListFacts(run.steps.fence.facts, 'state').includes('unfenced'),
};

/** Those that were fenced, which is all that could write. */
export function oldPrimaries(context: StepContext): string[] {
  const { address } = targetOf(context);
  return readListFacts(context.run.steps.fence.facts, 'server').filter((server) => server !== address);
}

async function salvageFrom(from: string, context: StepContext): Promise<Salvage> {
  const { plan, ports, settings, signal } = context;
  const server = ports.servers.find(({ address }) => address === from);
  const look = server === undefined ? null : await lookAt(server, context);
  if (look !== null && look.state === null) throw cannotRead(from, look.reason);
  const request = {
    ...{ planId: plan.planId, from, into: targetOf(context).address, vault: plan.journalVault },
    recovery: recoveryOf(plan, context.run),
    merge: settings.mergeSalvaged && MERGES_SALVAGED[plan.trigger],
  };
  return ports.salvager.salvage(request, { signal });
}

function sumOf(found: readonly Salvage[]) {
  const sum = (key: 'events' | 'streams' | 'conflicts' | 'merged' | 'vanished'): number =>
    found.reduce((total, one) => total + one[key], 0);
  const spans = found.flatMap(({ spanMs }) => (spanMs === null ? [] : [spanMs]));
  return {
    ...{ events: sum('events'), streams: sum('streams'), conflicts: sum('conflicts'), merged: sum('merged') },
    vanished: sum('vanished'),
    spanMs: spans.length === 0 ? null : Math.max(...spans),
  };
}

function cannotRead(from: string, reason: string): BackupError {
  return new BackupError('store_unreachable', `what only ${from} has cannot be read now: ${reason}`, {
    hint: 'start it behind its fence, then `eventcore dr resume`; until then it must not be made a standby',
  });
}
