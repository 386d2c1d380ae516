import { BackupError } from '../../core/errors.ts';
import { ASKABLE_JOBS, ENDLESS_JOBS, JOB_NAMES, type JobName } from '../../core/job.ts';
import type { RegionPolicy, Schedule } from '../../core/region-policy.ts';
import type { JobPlan, Lane } from '../../daemon/run-job.ts';
import type { Timing } from '../../policy/agenda.ts';
import { isTimeZone, whyNoSchedule } from '../../policy/schedule.ts';
import type { Settings } from '../config/config.ts';
import type { JobSettings, ServeSection } from './schema.ts';

/** A job of the daemon, and the words of its command. */
export interface ServedJob extends JobPlan {
  readonly words: readonly string[];
  readonly deadlineMs: number;
}

interface JobKind {
  readonly words: readonly string[];
  readonly lane: Lane;
  /** The command ends so when it found or did something that it tells by itself: the job has run. */
  readonly succeedsWith: readonly number[];
}

/** There is no backup yet, which `doctor` says. */
const NOTHING_THERE = 3;
const FOUND_DAMAGE = 4;
const IN_PART = 10;

const KINDS: Readonly<Record<JobName, JobKind>> = {
  full: { words: ['backup', 'full'], lane: 'backup', succeedsWith: [] },
  incremental: { words: ['backup', 'incremental'], lane: 'backup', succeedsWith: [] },
  archive: { words: ['archive'], lane: 'own', succeedsWith: [] },
  sync: { words: ['sync'], lane: 'upkeep', succeedsWith: [NOTHING_THERE, IN_PART] },
  prune: { words: ['prune', '--apply'], lane: 'upkeep', succeedsWith: [NOTHING_THERE] },
  verify: { words: ['verify'], lane: 'proof', succeedsWith: [NOTHING_THERE, FOUND_DAMAGE] },
  monitor: { words: ['monitor'], lane: 'own', succeedsWith: [] },
  drill: { words: ['drill'], lane: 'proof', succeedsWith: [NOTHING_THERE, FOUND_DAMAGE, IN_PART] },
  sample: { words: ['dr', 'sample'], lane: 'own', succeedsWith: [] },
  // It fails while something is bad. Promises the daemon judges by itself: what breaks one is told once.
  doctor: { words: ['doctor', '--no-promises'], lane: 'check', succeedsWith: [] },
};

const DEADLINE_MS = 12 * 3_600_000;

/** What counts of a store where its configuration says nothing. */
export interface ServeDefaults {
  /** As the daemon calls it; its jobs are spread by that. */
  readonly store: string;
  readonly jitterMs: number;
  /** Whether all is well is looked at all the time, unless that is turned off. */
  readonly doctorEveryMs: number;
}

/** Of a store that is served beside a few others, or alone. */
export function fewDefaults(store: string): ServeDefaults {
  return { store, jitterMs: 60_000, doctorEveryMs: 15 * 60_000 };
}

/** Of one of many: they begin spread over an hour, and to look at them all does not fill the day. */
export function fleetDefaults(store: string): ServeDefaults {
  return { store, jitterMs: 60 * 60_000, doctorEveryMs: 60 * 60_000 };
}

/** They keep the promise of what may be lost at most. */
const KEEPS_RPO: ReadonlySet<JobName> = new Set(['full', 'incremental']);

/** Copies need a policy that says where to. */
export function isAskable(name: JobName, policy: RegionPolicy | null): boolean {
  return ASKABLE_JOBS.has(name) && (name !== 'sync' || (policy?.replicas.length ?? 0) > 0);
}

/**
 * The jobs that a configuration asks for, and those that run only when somebody asks. The policy's schedules count where `serve.jobs` says
 * nothing of their own: `primary.schedule` for incremental backups (which are full where they cannot be incremental), the first
 * `sync_schedule` for copies. Throws `config_invalid`.
 */
export function servedJobs(
  { serve, policy, file }: Pick<Settings, 'serve' | 'policy' | 'file'>,
  defaults: ServeDefaults = fewDefaults(''),
): ServedJob[] {
  const { jobs = {}, jitter = defaults.jitterMs, deadline = DEADLINE_MS } = serve;
  const settingsOf = (name: JobName): JobSettings | 'asked' =>
    jobs[name] ?? byDefault(name, policy, defaults) ?? (isAskable(name, policy) ? 'asked' : 'off');
  const takesFull = settingsOf('full') !== 'off' && settingsOf('full') !== 'asked';
  return JOB_NAMES.flatMap((name) => {
    const settings = settingsOf(name);
    if (settings === 'off') return [];
    const { words, lane, succeedsWith } = KINDS[name];
    const isEndless = ENDLESS_JOBS.has(name);
    const timing = timingOf(name, settings, { serve, policy, file, isEndless });
    const options = typeof settings === 'string' ? [] : (settings.options ?? []);
    return [
      {
        ...{ name, timing, lane, succeedsWith, words: [...words, ...options] },
        spread: {
          key: `${defaults.store} ${name}`,
          windowMs: jitter,
          rpoMs: KEEPS_RPO.has(name) ? (policy?.objectives?.rpoMs ?? null) : null,
        },
        deadlineMs: isEndless ? Number.POSITIVE_INFINITY : deadline,
        // Else another daemon, to which the first full backup is still to come, would take a second one for want of it.
        ...(name === 'incremental' && takesFull ? { after: 'full' as const } : {}),
      },
    ];
  });
}

function byDefault(
  name: JobName,
  policy: RegionPolicy | null,
  { doctorEveryMs }: ServeDefaults,
): JobSettings | undefined {
  if (name === 'doctor') return { every: doctorEveryMs };
  const schedule: Schedule | null | undefined =
    name === 'incremental'
      ? policy?.primary.schedule
      : name === 'sync'
        ? policy?.replicas.find(({ syncSchedule }) => syncSchedule !== null)?.syncSchedule
        : null;
  return schedule == null ? undefined : { schedule: schedule.cron, time_zone: schedule.timeZone };
}

interface Place {
  readonly serve: ServeSection;
  readonly policy: RegionPolicy | null;
  readonly file: string | null;
  readonly isEndless: boolean;
}

function timingOf(name: JobName, settings: Exclude<JobSettings, 'off'> | 'asked', place: Place): Timing {
  if (settings === 'asked') return { kind: 'asked' };
  if (settings === 'always') {
    if (place.isEndless) return { kind: 'always' };
    throw invalid(
      place,
      name,
      'ends by itself, so it cannot run always',
      'give it a schedule, as "0 2 * * *"',
    );
  }
  const { schedule, every, time_zone } = settings;
  if (place.isEndless) {
    if (schedule === undefined && every === undefined) return { kind: 'always' };
    throw invalid(place, name, 'runs until it is stopped, so it has no times', 'write `always`, or `off`');
  }
  if (every !== undefined) return { kind: 'interval', everyMs: every };
  if (schedule === undefined)
    throw invalid(place, name, 'does not say when', 'write `schedule:` or `every:`, or `off`');
  const wrong = whyNoSchedule(schedule);
  if (wrong !== null) throw invalid(place, name, wrong.reason, wrong.hint);
  const timeZone = time_zone ?? place.policy?.primary.schedule?.timeZone ?? 'UTC';
  if (!isTimeZone(timeZone))
    throw invalid(place, name, `${JSON.stringify(timeZone)} is no time zone`, 'name one as Europe/Berlin');
  return { kind: 'schedule', schedule: { cron: schedule, timeZone } };
}

function invalid({ file }: Place, name: JobName, reason: string, hint: string): BackupError {
  return new BackupError('config_invalid', `${file}: \`serve.jobs.${name}\`: ${reason}`, { hint });
}
