import type { JobName } from '../../../src/core/job.ts';
import { calmFrom, type Span, spansAgainst } from './calm.ts';
import { DAY, HOUR, MINUTE } from './faults.ts';
import { REPEAT_MS } from './host.ts';
import type { Problem } from './oracle.ts';
import type { Told, World } from './world.ts';

/** What must be told: that a job failed twice in a row, or that the vault was away; once a day while that goes on; and that it is over. */

/** Until what is so is told, where a daemon is there and the vault too. */
const SOON_MS = 15 * MINUTE;
/** Its end shows only in the vault, which is looked at after so long where nobody was there to see it. */
const OVER_SOON_MS = 25 * MINUTE;

/** `archive` never ends well: what it does shows while it runs. */
const TOLD_JOBS: readonly JobName[] = ['full', 'incremental', 'sync', 'prune', 'verify', 'drill', 'doctor'];
/** Of others a failure costs knowledge only, so it is repeated less often. */
const CRITICAL: readonly string[] = ['full', 'incremental', 'doctor', 'vault'];

export function noticeProblems(world: World): Problem[] {
  const about = (what: string): Told[] => firstOfEach(world.told.filter(({ key }) => isAbout(key, what)));
  return [
    ...TOLD_JOBS.flatMap((job) => compare(world, job, about(job), failingSpans(world, job))),
    ...compare(world, 'vault', about('vault'), awaySpans(world)),
  ];
}

function isAbout(key: string, what: string): boolean {
  return new RegExp(`(^|[^a-z])${what}([^a-z]|$)`).test(key);
}

/** Whoever dies before it is on record that something was sent has it sent again, under the same id. */
function firstOfEach(told: readonly Told[]): Told[] {
  return told.filter(({ id }, i) => told.findIndex((one) => one.id === id) === i);
}

/** From the second failure in a row to the next success. */
function failingSpans({ written, days }: World, job: JobName): Span[] {
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
  return failures >= 2 ? [...spans, { fromMs, untilMs: days * DAY }] : spans;
}

/** As far as a daemon was there for long enough to see it. */
function awaySpans({ faults }: World): Span[] {
  const away = faults.outages.filter(({ place, manner }) => place === 'vault' && manner === 'away');
  const sorted = away.toSorted((a, b) => a.fromMs - b.fromMs);
  const joined: Span[] = [];
  for (const one of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && one.fromMs <= last.untilMs)
      joined.splice(-1, 1, { fromMs: last.fromMs, untilMs: Math.max(last.untilMs, one.untilMs) });
    else joined.push(one);
  }
  return joined;
}

function compare(world: World, what: string, told: readonly Told[], bad: readonly Span[]): Problem[] {
  const against = what === 'vault' ? whileGone(world) : spansAgainst(world, 'archive');
  return [
    ...outOfOrder(world, what, told),
    ...tooOften(world, what, told),
    ...bad.flatMap((span) => untold(world, what, told, span, against)),
    ...told.flatMap(({ state, atMs }) => {
      const isBad = bad.some(({ fromMs, untilMs }) => fromMs <= atMs && atMs <= untilMs + OVER_SOON_MS);
      if (state === 'resolved' || isBad || bad.some(({ untilMs }) => wasLate(against, untilMs, atMs)))
        return [];
      return [{ atMs, text: `${what}: "${state}" was told, though all was well` }];
    }),
  ];
}

/** Nobody was there in between who could have seen the end. */
function wasLate(against: readonly Span[], untilMs: number, atMs: number): boolean {
  if (atMs < untilMs) return false;
  const calmMs = calmFrom(against, untilMs, OVER_SOON_MS, Number.MAX_SAFE_INTEGER);
  return calmMs !== null && atMs <= calmMs + OVER_SOON_MS;
}

function whileGone({ lives, days }: World): Span[] {
  return lives.map(({ untilMs }, i) => ({
    fromMs: untilMs ?? days * DAY,
    untilMs: lives[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY,
  }));
}

function outOfOrder(world: World, what: string, told: readonly Told[]): Problem[] {
  return told.flatMap(({ state, atMs }, i) => {
    const before = told[i - 1];
    const wasOpen = before !== undefined && before.state !== 'resolved';
    if (wasOpen === (state !== 'raised') || (wasOpen && isToldAnew(world, before.atMs, atMs))) return [];
    return [{ atMs, text: `${what}: "${state}" was told behind "${before?.state ?? 'nothing'}"` }];
  });
}

/** What was told while the vault was away is on no record: a daemon that begins then does not know of it. */
function isToldAnew({ lives, faults }: World, beforeMs: number, atMs: number): boolean {
  const isNew = lives.some(({ fromMs }) => fromMs >= beforeMs && fromMs <= atMs);
  const isAway = faults.outages.some(
    ({ place, fromMs, untilMs }) => place === 'vault' && fromMs <= atMs && atMs <= untilMs + SOON_MS,
  );
  return isNew && isAway;
}

function tooOften({ faults }: World, what: string, told: readonly Told[]): Problem[] {
  return told.flatMap(({ state, atMs }, i) => {
    const before = told[i - 1];
    if (state !== 'repeated' || before === undefined || atMs - before.atMs >= REPEAT_MS - 5 * MINUTE)
      return [];
    if (faults.steps.some((step) => step.atMs >= before.atMs && step.atMs <= atMs)) return [];
    const hours = ((atMs - before.atMs) / HOUR).toFixed(1);
    return [{ atMs, text: `${what}: "repeated" was told ${hours} h behind "${before.state}"` }];
  });
}

function untold(
  world: World,
  what: string,
  told: readonly Told[],
  { fromMs, untilMs }: Span,
  against: readonly Span[],
): Problem[] {
  const endMs = world.days * DAY;
  const problems: Problem[] = [];
  const seenMs = calmFrom(against, fromMs, SOON_MS, Math.min(untilMs, endMs));
  const openAt = (atMs: number): boolean => {
    const last = told.findLast((one) => one.atMs <= atMs);
    return last !== undefined && last.state !== 'resolved';
  };
  if (seenMs !== null && !openAt(seenMs + SOON_MS))
    problems.push({ atMs: seenMs, text: `${what}: nobody was told that it is bad` });
  const overMs = calmFrom(against, untilMs, OVER_SOON_MS, endMs);
  if (overMs !== null && openAt(overMs + OVER_SOON_MS) && !isBadAgain(world, what, untilMs, overMs))
    problems.push({ atMs: overMs, text: `${what}: nobody was told that it is over` });
  for (let atMs = fromMs; CRITICAL.includes(what); atMs += HOUR) {
    const calmMs = calmFrom(against, atMs, SOON_MS, Math.min(untilMs, endMs));
    if (calmMs === null) break;
    const last = told.findLast((one) => one.atMs <= calmMs + SOON_MS);
    const isSet = world.faults.steps.some((step) => Math.abs(step.atMs - calmMs) < 30 * HOUR);
    if (last !== undefined && !isSet && calmMs + SOON_MS - last.atMs > REPEAT_MS + 40 * MINUTE)
      problems.push({ atMs: calmMs, text: `${what}: it goes on, and nobody was told for a day` });
    atMs = Math.max(atMs, calmMs);
  }
  return problems;
}

function isBadAgain(world: World, what: string, afterMs: number, byMs: number): boolean {
  const spans = what === 'vault' ? awaySpans(world) : failingSpans(world, what as JobName);
  return spans.some(({ fromMs }) => fromMs >= afterMs && fromMs <= byMs + OVER_SOON_MS);
}
