import type { JobName } from '../../../src/core/job.ts';
import { DAY, MINUTE } from './faults.ts';
import type { Problem } from './oracle.ts';
import type { Told, World, Written } from './world.ts';

/**
 * What must be told: that a job failed twice in a row, once a day while that goes on, and that it is over. Each is told within a minute of the
 * end that shows it, and nothing else is.
 */
export function noticeProblems(world: World): Problem[] {
  const jobs = new Set(world.written.map(({ job }) => job));
  return [...jobs].flatMap((job) => problemsOfJob(world, job));
}

interface State {
  failures: number;
  toldMs: number | null;
}

function problemsOfJob(world: World, job: JobName): Problem[] {
  const ends = world.written.filter(
    (one) => one.job === job && one.kind === 'end' && one.state !== 'interrupted',
  );
  const told = world.told.filter((one) => one.job === job);
  const problems: Problem[] = [];
  const matched = new Set<Told>();
  const state: State = { failures: 0, toldMs: null };
  for (const end of ends) {
    const said = told.filter(
      ({ atMs }) => atMs >= end.atMs && atMs <= end.atMs + MINUTE && nextEnd(ends, end, atMs),
    );
    for (const one of said) matched.add(one);
    const wanted = wantedFor(world, state, end);
    const found = said.map(({ notice }) => notice.state);
    const isRight = wanted === 'either' ? found.length <= 1 : found.join() === (wanted ?? '');
    if (!isRight && !wasCutOff(world, job, end)) {
      const text = `after a ${end.state} run of ${job} "${found.join() || 'nothing'}" was told, not "${wanted ?? 'nothing'}"`;
      problems.push({ atMs: end.atMs, text });
    }
    state.failures = end.state === 'failed' ? state.failures + 1 : 0;
    if (end.state === 'succeeded') state.toldMs = null;
    else if (said.length > 0) state.toldMs = end.atMs;
  }
  const stray = told.filter((one) => !matched.has(one));
  return [
    ...problems,
    ...stray.map(({ atMs, notice }) => ({ atMs, text: `${job}: "${notice.state}" was told for no reason` })),
  ];
}

/** It belongs to this end, and not to one that followed within the minute. */
function nextEnd(ends: readonly Written[], end: Written, atMs: number): boolean {
  const next = ends[ends.indexOf(end) + 1];
  return next === undefined || atMs < next.atMs;
}

function wantedFor(
  { faults }: World,
  { failures, toldMs }: State,
  { state, atMs }: Written,
): 'raised' | 'repeated' | 'resolved' | 'either' | null {
  if (state === 'succeeded') return failures >= 2 ? 'resolved' : null;
  if (failures === 0) return null;
  if (failures === 1) return 'raised';
  // By a clock that was set meanwhile a day is longer or shorter.
  const fromMs = toldMs ?? 0;
  if (toldMs === null || faults.steps.some((step) => step.atMs >= fromMs && step.atMs <= atMs))
    return 'either';
  const passedMs = atMs - toldMs;
  if (Math.abs(passedMs - DAY) < MINUTE) return 'either';
  return passedMs > DAY ? 'repeated' : null;
}

/** Its daemon died between the end and the telling. */
function wasCutOff({ unsaid, lives }: World, job: JobName, end: Written): boolean {
  return (
    unsaid.some((one) => one.job === job && Math.abs(one.atMs - end.atMs) < MINUTE) ||
    lives.some(({ untilMs }) => untilMs !== null && untilMs >= end.atMs && untilMs <= end.atMs + MINUTE)
  );
}
