import type { JobName } from '../../../src/core/job.ts';
import { DAY, MINUTE } from './faults.ts';
import { cronAt, LANES } from './life.ts';
import type { World } from './world.ts';

/** Spans in which a job could not do its work, as somebody tells it who sees all that goes wrong. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

const NEEDS_STORE: readonly JobName[] = ['full', 'incremental', 'archive'];

export function spansAgainst(world: World, job: JobName): Span[] {
  const { faults, runs, days } = world;
  const outages = faults.outages.filter(
    ({ place }) =>
      place === 'vault' ||
      (place === 'store' && NEEDS_STORE.includes(job)) ||
      (place === 'west' && job === 'sync'),
  );
  const held = runs
    .filter((run) => run.note !== '' && isSpoilt(run.note) && LANES[run.job] === LANES[job])
    .map(({ beganMs, endedMs }) => ({ fromMs: beganMs, untilMs: endedMs ?? days * DAY }));
  return [
    ...outages,
    ...held,
    ...whileGone(world),
    ...whileUnplanned(world, job),
    ...(job === 'prune' ? wrongClocks(world) : []),
  ];
}

/** No daemon is there. */
export function whileGone({ lives, days }: World): Span[] {
  return lives.map(({ untilMs }, i) => ({
    fromMs: untilMs ?? days * DAY,
    untilMs: lives[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY,
  }));
}

const SPOILT: readonly string[] = ['dies', 'takes the daemon along', 'hangs'];

function isSpoilt(note: string): boolean {
  return SPOILT.includes(note);
}

function whileUnplanned(world: World, job: JobName): Span[] {
  const bounds = [0, ...world.faults.reloads, world.days * DAY];
  return bounds.slice(0, -1).flatMap((fromMs, i) => {
    return cronAt(world, job, fromMs) === null ? [{ fromMs, untilMs: bounds[i + 1]! }] : [];
  });
}

/** Clocks are wrong, or what was written by them then is from the future: nothing is pruned. */
export function wrongClocks({ faults: { steps } }: World): Span[] {
  return steps.map(({ atMs, byMs }) => ({
    fromMs: atMs - MINUTE,
    untilMs: atMs + Math.abs(byMs) + 11 * 60 * MINUTE,
  }));
}

/** Those that touch as one, in their order. */
export function joined(spans: readonly Span[]): Span[] {
  const all: Span[] = [];
  for (const { fromMs, untilMs } of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = all.at(-1);
    if (last !== undefined && fromMs <= last.untilMs)
      all.splice(-1, 1, { fromMs: last.fromMs, untilMs: Math.max(last.untilMs, untilMs) });
    else all.push({ fromMs, untilMs });
  }
  return all;
}

/** The first instant from `atMs` on behind which nothing is against it for so long; null when there is none before the end. */
export function calmFrom(spans: readonly Span[], atMs: number, forMs: number, endMs: number): number | null {
  let at = atMs;
  for (;;) {
    if (at + forMs > endMs) return null;
    const against = spans.filter(({ fromMs, untilMs }) => fromMs < at + forMs && untilMs > at);
    if (against.length === 0) return at;
    at = Math.max(...against.map(({ untilMs }) => untilMs));
    if (!Number.isFinite(at)) return null;
  }
}
