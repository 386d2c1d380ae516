import crypto from 'node:crypto';
import type { Alert, Notifier } from '../../core/alert.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { StepCode, StepContext } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { plural, targetOf } from './look.ts';

/** Tells all at the same time what was done so far. Told again, it has the same id: who has heard it drops it. */
export const notifyStep: StepCode = {
  skip: ({ ports }) => (ports.notifiers.length === 0 ? 'nobody is configured who would be told' : null),
  check: async () => null,
  act: async (context) => {
    const alert = alertOf(context);
    const results = await Promise.all(
      context.ports.notifiers.map((notifier) => tell(notifier, alert, context)),
    );
    const failed = results.filter((message) => message !== null);
    const told = results.length - failed.length;
    if (failed.length === 0) return { text: `${plural(told, 'notifier')} told`, facts: { told } };
    throw new BackupError('notification_failed', `${told} of ${results.length} told: ${failed.join('; ')}`);
  },
};

/** Null when it was delivered. */
async function tell(notifier: Notifier, alert: Alert, context: StepContext): Promise<string | null> {
  try {
    await withDeadline(notifier.name, context.settings.deadlines.notify * 0.8, context.signal, (signal) =>
      notifier.notify(alert, { signal }),
    );
    return null;
  } catch (error) {
    if (!isBackupError(error) || (error.code === 'interrupted' && context.signal.aborted)) throw error;
    return `${notifier.name}: ${error.message}`;
  }
}

function alertOf(context: StepContext): Alert {
  const { plan, run, entries, ports } = context;
  const { region, address } = targetOf(context);
  const at = new Date(ports.clock.now()).toISOString();
  const words = entries
    .filter(({ kind, step }) => step !== null && (kind === 'done' || kind === 'failed'))
    .map(({ step, kind, text }) => `${step} ${kind}: ${text}`);
  return {
    id: noticeId(plan.planId),
    key: `recovery ${plan.planId}`,
    state: 'raised',
    severity: 'critical',
    title: `recovered to ${region} by ${plan.strategy.kind.replaceAll('_', ' ')}: events are written to ${address}`,
    text: [...words, 'what follows is told by `eventcore dr status`'].join('\n'),
    subject: address,
    since: run.approvedAt ?? at,
    at,
    facts: {
      ...{
        planId: plan.planId,
        trigger: plan.trigger,
        strategy: plan.strategy.kind,
        region,
        server: address,
      },
      primaryBefore: plan.primary.server,
    },
  };
}

/** A UUID (version 8, RFC 9562) that is the same whoever makes it. */
function noticeId(planId: string): string {
  const hex = crypto.hash('sha256', `eventcore recovery notice ${planId}`, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
