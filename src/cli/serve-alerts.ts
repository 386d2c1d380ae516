import type { Alert } from '../core/alert.ts';
import { isBackupError } from '../core/errors.ts';
import type { JobName } from '../core/job.ts';
import { publicText } from '../drills/public-text.ts';
import type { JobNotice } from '../policy/job-alerts.ts';
import type { Settings } from './config.ts';
import type { CommandContext } from './context.ts';
import { openNotifiers } from './notifiers.ts';
import { plural } from './units.ts';
import { systemClock } from './wire.ts';

export interface JobFailure {
  readonly store: string;
  /** Address of the store, without a password. */
  readonly subject: string;
  readonly job: JobName;
  readonly notice: JobNotice;
  /** What the command said. */
  readonly trouble: string | null;
}

/** Jobs without which events may be lost, and the one that says so; of the others a failure costs knowledge. */
const CRITICAL: ReadonlySet<JobName> = new Set(['full', 'incremental', 'archive', 'doctor']);

export function jobAlert({ store, subject, job, notice, trouble }: JobFailure): Alert {
  const { state, since, failures, code, isTriedAgain } = notice;
  const isOver = state === 'resolved';
  const title = isOver ? `${store}: ${job} runs again` : `${store}: ${job} fails`;
  const text = isOver
    ? `It had failed ${plural(failures, 'time')} in a row.`
    : `It failed ${plural(failures, 'time')} in a row.${said(trouble, code)} ${isTriedAgain ? 'It is tried again by itself; the' : 'The'} same command by hand shows more.`;
  return {
    ...{ id: systemClock.uuid(), key: `job:${store}:${job}`, state, title, text, subject, since },
    severity: CRITICAL.has(job) ? 'critical' : 'warning',
    at: new Date(systemClock.now()).toISOString(),
    facts: { store, job, failures, code },
  };
}

/** Without what names a stream. */
function said(trouble: string | null, code: string | null): string {
  if (trouble === null) return code === null ? '' : ` Its failure is ${code}.`;
  return ` It said: ${publicText(trouble, code)}.`;
}

/** Whoever cannot be reached is logged: the next notice comes when it goes on. */
export async function tellOfJob(context: CommandContext, settings: Settings, alert: Alert): Promise<void> {
  try {
    const notifiers = await openNotifiers(settings, context);
    for (const notifier of notifiers) {
      try {
        await notifier.notify(alert, { signal: context.signal });
      } catch (error) {
        if (!isBackupError(error)) throw error;
        context.log.error(`${notifier.name} was not told that ${alert.title}: ${error.message}`);
      } finally {
        await notifier.close();
      }
    }
  } catch (error) {
    if (!isBackupError(error)) throw error;
    context.log.error(`nobody was told that ${alert.title}: ${error.message}`);
  }
}
