import { type JobName, STEADY_RUN_MS } from '../../../src/core/job.ts';
import { joined, type Span, wrongClocks } from './calm.ts';
import { BELIEVED_MS, DAY, MINUTE } from './faults.ts';
import { RPO_MS } from './status.ts';
import { type World, type Written, wallMs } from './world.ts';

/** When what is told of is bad, as somebody tells it who sees everything. */
export interface Bad {
  /** It must be told. */
  readonly spans: readonly Span[];
  /** It may be told. */
  readonly doubtful: readonly Span[];
}

/** From the second failure in a row to the next success. */
export function failingJob(world: World, job: JobName): Bad {
  const { written, days } = world;
  const ends = written.filter(
    (one) => one.job === job && one.kind === 'end' && one.state !== 'interrupted' && one.state !== 'died',
  );
  const spans: Span[] = [];
  let failures = 0;
  let fromMs = 0;
  for (const { state, atMs } of ends) {
    if (state === 'succeeded' && failures >= 2) spans.push({ fromMs, untilMs: atMs });
    failures = state === 'succeeded' ? 0 : failures + 1;
    if (failures === 2) fromMs = atMs;
  }
  return {
    spans: failures >= 2 ? [...spans, { fromMs, untilMs: days * DAY }] : spans,
    doubtful: wrongClocks(world).flatMap((span) => failingByRecords(world, ends, span)),
  };
}

/**
 * After a clock was set, other runs than the last ones may be the newest that are believed: what went well by a clock that was ahead is not,
 * and what failed for a time that was ahead is again when that time comes. Minutes in which the newest two that
 * are believed failed: until the job has run again, it may be told, for that is what is on record.
 */
function failingByRecords(world: World, ends: readonly Written[], { fromMs, untilMs }: Span): Span[] {
  const newestFirst = ends.toSorted((a, b) => b.wantedMs - a.wantedMs || b.attempt - a.attempt);
  const spans: Span[] = [];
  for (let atMs = fromMs; atMs <= untilMs; atMs += MINUTE) {
    const believedMs = wallMs(world, atMs) + BELIEVED_MS;
    const isKnown = (one: Written): boolean => one.atMs <= atMs && one.wantedMs <= believedMs;
    const newest = newestFirst.findIndex(isKnown);
    const before = newestFirst.findIndex((one, i) => i > newest && isKnown(one));
    const isFailing = [newest, before].every((i) => newestFirst[i]?.state === 'failed');
    if (isFailing) spans.push({ fromMs: atMs, untilMs: atMs + MINUTE });
  }
  return joined(spans);
}

/**
 * What never ends well: from the second run in a row that failed early to the first that goes on for a while. How long one went on is known by
 * clocks that are set wrong now and then, and of one that died not at all.
 */
export function failingArchive(world: World): Bad {
  const [least, most] = [failingRuns(world, true), failingRuns(world, false)];
  return { spans: least, doubtful: [...most, ...wrongClocks(world)] };
}

/** `diedWell`: one that went on for a while and then died went well. */
function failingRuns(world: World, diedWell: boolean): Span[] {
  const { days, written } = world;
  const records = written.filter(({ job }) => job === 'archive');
  const begins = records.filter(({ kind }) => kind === 'begin');
  const spans: Span[] = [];
  let failures = 0;
  let fromMs = 0;
  for (const [i, begin] of begins.entries()) {
    const end = records.find((one) => one.kind === 'end' && isSame(one, begin));
    const next = begins[i + 1];
    const isKnown = end !== undefined || next === undefined || diedWell;
    const wellMs = isKnown ? wellFrom(world, begin.atMs, end?.atMs ?? next?.atMs ?? days * DAY) : null;
    if (wellMs !== null && failures >= 2) spans.push({ fromMs, untilMs: wellMs });
    if (wellMs !== null) failures = 0;
    if (end?.state === 'failed') failures += 1;
    if (end?.state === 'failed' && failures === 2) fromMs = end.atMs;
  }
  return failures >= 2 ? [...spans, { fromMs, untilMs: days * DAY }] : spans;
}

function isSame(one: Written, other: Written): boolean {
  return one.wantedMs === other.wantedMs && one.attempt === other.attempt;
}

/** Null when it ends before. */
function wellFrom(world: World, beganMs: number, overMs: number): number | null {
  const startedMs = wallMs(world, beganMs);
  for (let atMs = beganMs + STEADY_RUN_MS; atMs <= overMs; atMs += MINUTE)
    if (wallMs(world, atMs) - startedMs >= STEADY_RUN_MS) return atMs;
  return null;
}

/** It is away; one that can only be read is told of where there is something to be put on record. */
export function vaultAway({ faults }: World): Bad {
  const outages = faults.outages.filter(({ place }) => place === 'vault');
  return { spans: joined(outages.filter(({ manner }) => manner === 'away')), doubtful: joined(outages) };
}

const GLIMPSE_MS = 5000;

/** The newest point is older than was promised, by the clock of the hosts: also where that is so for seconds only. */
export function brokenPromise(world: World): Bad {
  const points = [...world.points.values()].sort((a, b) => a.atMs - b.atMs);
  const spans: Span[] = [];
  let newestMs = Number.NEGATIVE_INFINITY;
  let next = 0;
  let fromMs: number | null = null;
  for (let atMs = 0; atMs <= world.days * DAY; atMs += GLIMPSE_MS) {
    for (; next < points.length && points[next]!.atMs <= atMs; next += 1)
      newestMs = Math.max(newestMs, points[next]!.createdAtMs);
    const isBroken = wallMs(world, atMs) - newestMs > RPO_MS;
    if (isBroken) fromMs ??= atMs;
    if (isBroken || fromMs === null) continue;
    spans.push({ fromMs, untilMs: atMs });
    fromMs = null;
  }
  return { spans: fromMs === null ? spans : [...spans, { fromMs, untilMs: world.days * DAY }], doubtful: [] };
}
