import type { AuditEntry, ConsoleActions, RestoreRequest } from '../ports.ts';
import type { Audit } from './audit.ts';

type Outcome = AuditEntry['outcome'];

/** Actions that are put on record, under the name of who was let in and no other. */
export function auditedActions(
  actions: ConsoleActions,
  audit: Audit,
  { who, from }: { readonly who: string; readonly from: string },
): ConsoleActions {
  const audited = <Result>(
    action: string,
    subject: string,
    act: () => Result,
    outcomeOf: (result: Result) => Outcome,
  ): Result => {
    let outcome: Outcome = 'failed';
    try {
      const result = act();
      outcome = outcomeOf(result);
      return result;
    } finally {
      audit.record({ who, from, action, subject, outcome });
    }
  };
  const started = ({ state }: { readonly state: 'started' | 'refused' }): Outcome =>
    state === 'started' ? 'done' : 'refused';
  return {
    runJob: (store, job) =>
      audited(
        'run_job',
        `${store}: ${job}`,
        () => actions.runJob(store, job, who),
        (state) => (state === 'asked' ? 'done' : 'refused'),
      ),
    restore: (request) =>
      audited('restore', restoreSubject(request), () => actions.restore(request, who), started),
    verify: (store, backupId) =>
      audited('verify', `${store}: ${backupId}`, () => actions.verify(store, backupId, who), started),
    cancel: (operationId) =>
      audited(
        'cancel',
        operationId,
        () => actions.cancel(operationId, who),
        (state) => (state === 'cancelled' ? 'done' : 'refused'),
      ),
  };
}

/** Names no stream. */
function restoreSubject({ store, point, streams, target }: RestoreRequest): string {
  const when = point === null ? 'newest point' : `${point.flag} ${point.value}`;
  const part = streams.length === 0 ? '' : `, ${streams.length} streams`;
  return `${store}: ${when}${part} into ${target}`;
}

/** What a page gets that only shows something: to act from it is a mistake in this program. */
export const NO_ACTIONS: ConsoleActions = {
  runJob: refuseAction,
  restore: refuseAction,
  verify: refuseAction,
  cancel: refuseAction,
};

function refuseAction(): never {
  throw new Error('only a POST of an operator may act');
}
