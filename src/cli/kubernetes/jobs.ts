import { BackupError } from '../../core/errors.ts';
import type { WantedJob } from '../../kubernetes/render/wanted.ts';
import type { Settings } from '../config/config.ts';
import { type ServedJob, servedJobs } from '../serve/jobs.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What the daemon would do when, as CronJobs have it. Throws `config_invalid` for times that they cannot have. */
export function cronJobsOf(settings: Settings): WantedJob[] {
  return servedJobs(settings).map((job) => ({
    name: job.name,
    // Nobody else judges what is promised where no daemon runs.
    args: job.words.filter((word) => word !== '--no-promises'),
    timing: timingOf(job),
  }));
}

function timingOf({ name, timing }: ServedJob): WantedJob['timing'] {
  if (timing.kind === 'always' || timing.kind === 'asked') return { kind: timing.kind };
  if (timing.kind === 'interval') {
    const cron = cronOf(timing.everyMs);
    if (cron !== null) return { kind: 'schedule', cron, timeZone: 'UTC' };
    throw invalid(
      name,
      'no CronJob runs so often, or at such intervals',
      'every: 15m, or schedule: "*/15 * * * *"',
    );
  }
  const { cron, timeZone } = timing.schedule;
  const written = kubernetesCron(cron);
  if (written !== null) return { kind: 'schedule', cron: written, timeZone };
  throw invalid(
    name,
    `Kubernetes does not read the schedule ${JSON.stringify(cron)}`,
    'numbers, lists, ranges and steps',
  );
}

/** Null where it does not fit into hours or days. */
function cronOf(everyMs: number): string | null {
  const fits = (unitMs: number, most: number): number | null => {
    const count = everyMs / unitMs;
    return Number.isInteger(count) && count >= 1 && most % count === 0 ? count : null;
  };
  if (everyMs === DAY_MS) return '0 0 * * *';
  const hours = fits(HOUR_MS, 24);
  if (hours !== null) return hours === 1 ? '0 * * * *' : `0 */${hours} * * *`;
  const minutes = fits(MINUTE_MS, 60);
  if (minutes === null) return null;
  return minutes === 1 ? '* * * * *' : `*/${minutes} * * * *`;
}

const TERM = String.raw`(?:\d+|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`;
const DAY = '(?:[0-6]|sun|mon|tue|wed|thu|fri|sat)';

/** A field that Kubernetes reads: lists of what a term is, ranges of it, and steps. */
function fieldOf(term: string): RegExp {
  const part = String.raw`(?:\*|${term}(?:-${term})?)(?:/\d+)?`;
  return new RegExp(`^${part}(?:,${part})*$`, 'i');
}

/** Kubernetes calls Sunday 0, and never 7, and knows no last days. Null where it would not take it. */
function kubernetesCron(cron: string): string | null {
  const fields = cron.trim().split(/\s+/);
  const days = fields[4]!
    .split(',')
    .map((part) => (part === '7' ? '0' : part))
    .join(',');
  const isRead = fields.slice(0, 4).every((field) => fieldOf(TERM).test(field)) && fieldOf(DAY).test(days);
  return isRead ? [...fields.slice(0, 4), days].join(' ') : null;
}

function invalid(name: string, reason: string, allowed: string): BackupError {
  return new BackupError('config_invalid', `\`serve.jobs.${name}\`: ${reason}`, {
    hint: `write it with ${allowed}, or leave the schedules to the daemon (without --cron-jobs)`,
  });
}
