import type { ConsolePorts, ConsoleStore } from '../console/ports.ts';
import type { Registry } from '../daemon/registry.ts';
import { redactAddress } from './address.ts';
import type { CommandContext } from './context.ts';
import type { Questions } from './questions.ts';
import { isAskable } from './serve-jobs.ts';
import type { Served } from './serve-store.ts';
import { systemClock } from './wire.ts';

export interface ConsoleParts {
  /** In the order of the command line. */
  readonly services: readonly Served[];
  readonly registry: Registry;
  readonly questions: Questions;
}

/** What the console is made of. */
export function consolePorts(
  { software }: CommandContext,
  { services, registry, questions }: ConsoleParts,
): Omit<ConsolePorts, 'audit'> {
  return {
    stores: () => services.map((served) => consoleStore(served, registry)),
    ask: questions.ask,
    actions: {
      runJob: (store, job, who) => {
        const served = services.find(({ name }) => name === store);
        if (served === undefined || !isAskable(job, served.current.settings.policy)) return 'unknown';
        return served.service.demand(job, who);
      },
      restore: () => ({ state: 'refused', message: '', hint: '' }),
      verify: () => ({ state: 'refused', message: '', hint: '' }),
      cancel: () => 'unknown',
    },
    operations: () => [],
    now: systemClock.now,
    software,
  };
}

function consoleStore({ name, file, current, status }: Served, registry: Registry): ConsoleStore {
  status.look();
  const known = status.view();
  return {
    ...{ name, store: redactAddress(current.settings.store ?? ''), vault: redactAddress(current.vault) },
    ...{ config: file, jobs: registry.views().filter(({ store }) => store === name) },
    ...{ status: known.status, objectives: known.objectives, trouble: known.trouble, restoreTargets: [] },
  };
}
