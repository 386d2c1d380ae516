import type { JobName } from '../../../src/core/job.ts';
import { occurrences } from './calendar.ts';
import { DAY, offsetAt } from './faults.ts';
import { cronAt, SCHEDULES, schedulesIn } from './life.ts';
import type { World } from './world.ts';

/** The clock of the hosts came to a time of a schedule. */
export interface Crossing {
  /** Milliseconds since 1970, as the schedule says it. */
  readonly wantedMs: number;
  /** Since the begin of the simulation. */
  readonly atMs: number;
}

/** Each time that a clock which is set now and then comes to a time of a job's schedule, in the order in which it does. */
export function crossingsOf(world: World, job: JobName): Crossing[] {
  const { faults, days, baseMs } = world;
  const endMs = days * DAY;
  const bounds = [0, ...faults.steps.map(({ atMs }) => atMs), ...faults.reloads, endMs].sort((a, b) => a - b);
  return bounds.slice(0, -1).flatMap((fromMs, i) => {
    const untilMs = bounds[i + 1]!;
    const cron = cronAt(world, job, fromMs);
    if (cron === null || untilMs === fromMs) return [];
    const [before, offset] = [offsetAt(faults, fromMs - 1), offsetAt(faults, fromMs)];
    const jumped = fromMs === 0 ? [] : range(cron, baseMs + fromMs + before, baseMs + fromMs + offset);
    const walked = range(cron, baseMs + fromMs + offset, baseMs + untilMs + offset);
    return [
      ...jumped.map((wantedMs) => ({ wantedMs, atMs: fromMs })),
      ...walked.map((wantedMs) => ({ wantedMs, atMs: wantedMs - baseMs - offset })),
    ];
  });
}

/** Behind the first bound, up to the second. */
function range(cron: Parameters<typeof occurrences>[0], fromMs: number, untilMs: number): number[] {
  return untilMs <= fromMs ? [] : occurrences(cron, fromMs + 1, untilMs);
}

/** All times that any schedule of the job has. */
export function allTimes(world: World, job: JobName): number[] {
  const indexes = new Set(schedulesIn(world).map(({ index }) => index));
  const [fromMs, untilMs] = [world.baseMs - 8 * DAY, world.baseMs + (world.days + 6) * DAY];
  const times = [...indexes].flatMap((index) => {
    const cron = SCHEDULES[index]![job];
    return cron === undefined ? [] : occurrences({ cron, timeZone: world.timeZone }, fromMs, untilMs);
  });
  return [...new Set(times)].sort((a, b) => a - b);
}
