import type { JobName } from '../../../src/core/job.ts';
import { occurrences } from './calendar.ts';
import { calmFrom, type Span, spansAgainst } from './calm.ts';
import { assertRestores } from './commands.ts';
import { allTimes, crossingsOf } from './crossings.ts';
import { BELIEVED_MS, DAY, HOUR, MINUTE, offsetAt } from './faults.ts';
import { cronAt, JITTER_MS, LANES } from './life.ts';
import { noticeProblems } from './notices.ts';
import { pointProblems } from './owed.ts';
import { type Run, type World, type Written, wallMs } from './world.ts';

/** What must have come of it, told without any of the code that decides it. Each problem is a sentence for whoever looks for its reason. */

export interface Problem {
  readonly atMs: number;
  readonly text: string;
}

const TIMED: readonly JobName[] = ['full', 'incremental', 'sync', 'prune', 'verify', 'drill'];

/** Until a job that could not run has run: a retry, a lease that ends, jitter, and whoever has its turn before. */
const SOON: Readonly<Record<string, number>> = {
  ...{ backup: 60 * MINUTE, upkeep: 60 * MINUTE, proof: 90 * MINUTE },
};
/** Until it has begun where nothing went wrong for a while. */
const AT_ONCE: Readonly<Record<string, number>> = {
  ...{ backup: 25 * MINUTE, upkeep: 22 * MINUTE, proof: 50 * MINUTE },
};

export async function problemsOf(world: World): Promise<Problem[]> {
  const problems = [
    ...world.broken.map((error) => ({ atMs: 0, text: `a command broke: ${String(error)}` })),
    ...overlaps(world),
    ...TIMED.flatMap((job) => [
      ...late(world, job),
      ...unpunctual(world, job),
      ...notOfTheSchedule(world, job),
    ]),
    ...runTwice(world),
    ...silences(world, 'doctor', 3 * HOUR + 10 * MINUTE),
    ...idleArchive(world),
    ...noticeProblems(world),
    ...(await pointProblems(world, assertRestores)),
  ];
  return problems.sort((a, b) => a.atMs - b.atMs);
}

export function overlaps({ runs }: World): Problem[] {
  const byJob = Map.groupBy(runs, ({ job }) => job);
  return [...byJob.values()].flatMap((some) => {
    const sorted = some.toSorted((a, b) => a.beganMs - b.beganMs);
    return sorted.slice(1).flatMap((run, i) => {
      const before = sorted[i]!;
      if (before.endedMs !== null && before.endedMs <= run.beganMs) return [];
      return [{ atMs: run.beganMs, text: `${run.job} ran in ${run.host} while it ran in ${before.host}` }];
    });
  });
}

/** Each time that came was run for as soon as that could be, by this run or by one for a later time. */
function late(world: World, job: JobName): Problem[] {
  const spans = spansAgainst(world, job);
  const soonMs = SOON[LANES[job]!]!;
  const done = successes(world, job);
  return crossingsOf(world, job).flatMap(({ wantedMs, atMs }) => {
    const calmMs = calmFrom(spans, atMs, soonMs, world.days * DAY);
    if (calmMs === null || wasRunFor(world, job, wantedMs, { fromMs: calmMs, untilMs: calmMs + soonMs }))
      return [];
    // Set back before it could: the clock comes to it once more, which is another crossing.
    if (wallMs(world, calmMs) < wantedMs) return [];
    if (!isStillOf(world, job, wantedMs, { fromMs: calmMs, untilMs: calmMs + soonMs })) return [];
    if (done.some(({ beganMs }) => beganMs >= atMs && beganMs <= calmMs + soonMs)) return [];
    return [
      { atMs, text: `${job} did not run for ${time(wantedMs)}, though it could from ${span(calmMs)} on` },
    ];
  });
}

/**
 * A time that could not be run for is owed by the schedule that has it: where the configuration changed before it could, only what the new
 * schedule says, that time or a later one that has come.
 */
function isStillOf(world: World, job: JobName, wantedMs: number, { fromMs, untilMs }: Span): boolean {
  const { reloads } = world.faults;
  const changes = reloads.filter((atMs) => atMs > fromMs && atMs <= untilMs);
  return [fromMs, ...changes].every((atMs) => {
    const cron = cronAt(world, job, atMs);
    return cron !== null && occurrences(cron, wantedMs, Math.max(wantedMs, wallMs(world, atMs))).length > 0;
  });
}

/** Where clocks were set back, what is to come may have been run for already. */
function wasRunFor(world: World, job: JobName, wantedMs: number, { fromMs, untilMs }: Span): boolean {
  const newestMs = Math.max(wallMs(world, fromMs), wallMs(world, untilMs)) + BELIEVED_MS;
  return world.written.some(
    (one) =>
      one.job === job &&
      one.kind === 'end' &&
      one.state === 'succeeded' &&
      one.atMs <= untilMs &&
      one.wantedMs >= wantedMs &&
      one.wantedMs <= newestMs,
  );
}

/** Where nothing went wrong, each time was run for by itself, and at once. */
function unpunctual(world: World, job: JobName): Problem[] {
  const spans = spansAgainst(world, job);
  const stepped = world.faults.steps.map(({ atMs }) => ({ fromMs: atMs - MINUTE, untilMs: atMs + MINUTE }));
  const reloaded = world.faults.reloads.map((atMs) => ({ fromMs: atMs - MINUTE, untilMs: atMs + MINUTE }));
  const atOnceMs = AT_ONCE[LANES[job]!]!;
  const begun = world.written.filter((one) => one.job === job && one.kind === 'begin');
  return crossingsOf(world, job).flatMap(({ wantedMs, atMs }) => {
    const fromMs = atMs - 2 * HOUR;
    const all = [...spans, ...stepped, ...reloaded];
    if (calmFrom(all, fromMs, 2 * HOUR + atOnceMs, world.days * DAY) !== fromMs) return [];
    if (begun.some((one) => one.wantedMs === wantedMs && one.atMs <= atMs + atOnceMs)) return [];
    if (begun.some((one) => one.wantedMs > wantedMs)) return [];
    return [{ atMs, text: `${job} was not begun for ${time(wantedMs)} within ${atOnceMs / MINUTE} minutes` }];
  });
}

/** What was run for is a time of the schedule, has come, and is the newest that has: what was missed is caught up once. */
function notOfTheSchedule(world: World, job: JobName): Problem[] {
  const known = new Set(allTimes(world, job));
  const begun = world.written.filter((one) => one.job === job && one.kind === 'begin');
  return begun.flatMap(({ wantedMs, attempt, atMs }, i) => {
    if (attempt > 1) return [];
    const nowMs = wallMs(world, atMs);
    const isFirst = begun.slice(0, i).every((one) => one.wantedMs > nowMs + BELIEVED_MS);
    if (isFirst && Math.abs(wantedMs - nowMs) < HOUR) return [];
    if (!known.has(wantedMs))
      return [{ atMs, text: `${job} ran for ${time(wantedMs)}, which no schedule says` }];
    if (wantedMs > nowMs) return [{ atMs, text: `${job} ran for ${time(wantedMs)} before that came` }];
    const newest = newestTime(world, job, atMs);
    if (newest === null || wantedMs >= newest) return [];
    return [{ atMs, text: `${job} ran for ${time(wantedMs)}, though ${time(newest)} had come` }];
  });
}

/** Of the schedule in force, without what may still be put off. */
function newestTime(world: World, job: JobName, atMs: number): number | null {
  const cron = cronAt(world, job, atMs);
  const nowMs = wallMs(world, atMs) - JITTER_MS;
  return cron === null ? null : (occurrences(cron, nowMs - 8 * DAY, nowMs).at(-1) ?? null);
}

/** For each time once, and again only where it died, failed, or its end could not be put on record. */
export function runTwice({ written }: World): Problem[] {
  const byTime = Map.groupBy(written, ({ job, wantedMs }) => `${job} ${wantedMs}`);
  return [...byTime.values()].flatMap((records) => {
    const isDone = (attempt: number): boolean => {
      return records.some(
        (one) => one.attempt === attempt && one.kind === 'end' && one.state === 'succeeded',
      );
    };
    const again = records.filter(
      ({ kind, attempt }) => kind === 'begin' && attempt > 1 && isDone(attempt - 1),
    );
    return again.map(({ job, wantedMs, atMs }) => ({ atMs, text: `${job} ran twice for ${time(wantedMs)}` }));
  });
}

/** What runs at intervals ran in each of them that nothing was against. */
function silences(world: World, job: JobName, everyMs: number): Problem[] {
  const spans = spansAgainst(world, job);
  const begun = world.runs.filter((run) => run.job === job);
  const problems: Problem[] = [];
  for (let atMs = HOUR; atMs + everyMs < world.days * DAY; atMs += HOUR) {
    const calmMs = calmFrom(spans, atMs, everyMs + 35 * MINUTE, world.days * DAY);
    if (calmMs === null) break;
    const isThere = begun.some(
      ({ beganMs }) => beganMs >= calmMs && beganMs <= calmMs + everyMs + 35 * MINUTE,
    );
    if (!isThere) problems.push({ atMs: calmMs, text: `${job} did not run for ${everyMs / MINUTE} minutes` });
    atMs = Math.max(atMs, calmMs);
  }
  return problems;
}

/** What is always to run does, but for a few minutes. */
function idleArchive(world: World): Problem[] {
  const spans = spansAgainst(world, 'archive');
  const runs = world.runs.filter(({ job }) => job === 'archive').sort((a, b) => a.beganMs - b.beganMs);
  return runs.flatMap(({ endedMs }, i) => {
    if (endedMs === null) return [];
    const calmMs = calmFrom(spans, endedMs, 10 * MINUTE, world.days * DAY);
    const next = runs[i + 1]?.beganMs ?? Number.POSITIVE_INFINITY;
    if (calmMs === null || next <= calmMs + 10 * MINUTE) return [];
    return [{ atMs: endedMs, text: `archive did not run again, though it could from ${span(calmMs)} on` }];
  });
}

function successes({ runs }: World, job: JobName): Run[] {
  return runs.filter((run) => run.job === job && run.state === 'succeeded');
}

export function time(ms: number): string {
  return new Date(ms).toISOString().replace(/:00\.000Z$/, 'Z');
}

/** Since the begin of the simulation. */
export function span(ms: number): string {
  const [days, rest] = [Math.floor(ms / DAY), ms % DAY];
  const [hours, minutes] = [Math.floor(rest / HOUR), Math.floor((rest % HOUR) / MINUTE)];
  return `day ${days} ${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
}

/** What happened around problems, for a person. */
export function timelineOf(world: World, problems: readonly Problem[]): string {
  const { faults, baseMs } = world;
  const entries = [
    ...world.timeline,
    ...world.runs.map((run) => ({ atMs: run.beganMs, text: `${run.job} in ${run.host}: ${outcome(run)}` })),
    ...world.written.map((one) => ({ atMs: one.atMs, text: record(one) })),
    ...problems.map(({ atMs, text }) => ({ atMs, text: `!!! ${text}` })),
  ].sort((a, b) => a.atMs - b.atMs);
  const near = entries.filter(({ atMs }) => problems.some((one) => Math.abs(one.atMs - atMs) < 8 * HOUR));
  const lines = near.map(({ atMs, text }) => {
    return `${span(atMs)}  ${time(baseMs + atMs + offsetAt(faults, atMs)).slice(0, 19)}  ${text}`;
  });
  return [`seed ${world.seed}, ${world.days} days, ${world.timeZone}`, ...lines].join('\n');
}

function outcome({ state, endedMs, beganMs, note }: Run): string {
  const minutes = endedMs === null ? '' : ` after ${((endedMs - beganMs) / MINUTE).toFixed(1)} min`;
  return `${state ?? 'still runs'}${minutes}${note === '' ? '' : ` (${note})`}`;
}

function record({ job, kind, wantedMs, attempt, state }: Written): string {
  return `  on record: ${kind} of ${job} for ${time(wantedMs)}, attempt ${attempt}${kind === 'end' ? `, ${state}` : ''}`;
}
