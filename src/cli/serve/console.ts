import { MOST_CARDS } from '../../console/pages/fleet.ts';
import type { ConsolePorts, ConsoleStore, OperationStart } from '../../console/ports.ts';
import type { JobView, Registry } from '../../daemon/registry.ts';
import { redactAddress } from '../address.ts';
import type { CommandContext } from '../context.ts';
import { systemClock } from '../wire.ts';
import { startRestore, startVerify } from './command-operations.ts';
import { isAskable } from './jobs.ts';
import type { Operations } from './operations.ts';
import type { Questions } from './questions.ts';
import { restorePlaces } from './restore-places.ts';
import type { Served } from './store.ts';

export interface ConsoleParts {
  /** In the order of the command line. */
  readonly services: () => readonly Served[];
  readonly registry: Registry;
  readonly questions: Questions;
  readonly operations: Operations;
}

/** What the console is made of. */
export function consolePorts(
  context: CommandContext,
  { services, registry, questions, operations }: ConsoleParts,
): Omit<ConsolePorts, 'audit'> {
  const servedAs = (store: string): Served | undefined => services().find(({ name }) => name === store);
  return {
    stores: () => {
      const jobs = Map.groupBy(registry.views(), ({ store }) => store);
      const all = services();
      // Each is asked by a process of its own: of many, those alone that somebody looks at.
      if (all.length <= MOST_CARDS) for (const { status } of all) status.look();
      return all.map((served) => consoleStore(served, jobs.get(served.name) ?? []));
    },
    look: (store) => servedAs(store)?.status.look(),
    ask: questions.ask,
    actions: {
      runJob: (store, job, who) => {
        const served = servedAs(store);
        if (served === undefined || !isAskable(job, served.current.settings.policy)) return 'unknown';
        return served.service.demand(job, who);
      },
      restore: (request, who) => {
        const served = servedAs(request.store);
        return served === undefined
          ? noStore(request.store)
          : startRestore({ context, operations, served, who }, request);
      },
      verify: (store, backupId, who) => {
        const served = servedAs(store);
        return served === undefined
          ? noStore(store)
          : startVerify({ context, operations, served, who }, backupId);
      },
      cancel: (operationId) => operations.cancel(operationId),
    },
    operations: operations.list,
    now: systemClock.now,
    software: context.software,
  };
}

function noStore(store: string): OperationStart {
  const message = `this daemon serves no store ${JSON.stringify(store)}`;
  return { state: 'refused', message, hint: 'choose one of the list' };
}

function consoleStore({ name, file, current, status }: Served, jobs: readonly JobView[]): ConsoleStore {
  const known = status.view();
  return {
    ...{ name, store: redactAddress(current.settings.store ?? ''), vault: redactAddress(current.vault) },
    labels: current.settings.labels,
    ...{ config: file, jobs },
    ...{ status: known.status, objectives: known.objectives, trouble: known.trouble },
    restoreTargets: restorePlaces(current.settings).map((target) => ({
      ...target,
      place: redactAddress(target.place),
    })),
  };
}
