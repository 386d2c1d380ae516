import type { JobName } from '../../../src/core/job.ts';
import { type Bad, brokenPromise, failingArchive, failingJob, vaultAway } from './bad.ts';
import { calmFrom, joined, type Span, spansAgainst, whileGone, wrongClocks } from './calm.ts';
import { DAY, HOUR, MINUTE } from './faults.ts';
import { REPEAT_MS } from './host.ts';
import type { Problem } from './oracle.ts';
import type { Told, World } from './world.ts';

/**
 * What must be told: that a job failed twice in a row, that the vault was away, that a promise is broken; once a day while that goes on; and that
 * it is over.
 */

/** Until what is so is told, where a daemon is there and the vault too. */
const SOON_MS = 15 * MINUTE;
/** Its end shows only in the vault, which is looked at after so long where nobody was there to see it. */
const OVER_SOON_MS = 25 * MINUTE;

const ENDING_JOBS: readonly JobName[] = ['full', 'incremental', 'sync', 'prune', 'verify', 'drill', 'doctor'];
/** Of others a failure costs knowledge only, so it is repeated less often. */
const CRITICAL: readonly string[] = ['full', 'incremental', 'archive', 'doctor', 'vault', 'objective_rpo'];

/** One thing that is told of, and what keeps everybody from telling it. */
interface Matter extends Bad {
  readonly what: string;
  readonly told: readonly Told[];
  readonly against: readonly Span[];
}

export function noticeProblems(world: World): Problem[] {
  const matter = (what: string, bad: Bad, against: readonly Span[]): Problem[] => {
    const told = firstOfEach(world.told.filter(({ key }) => isAbout(key, what)));
    return compare(world, { ...bad, what, told, against });
  };
  const outages = spansAgainst(world, 'archive');
  const unasked = world.faults.outages.filter(({ place, manner }) => place === 'vault' && manner === 'away');
  return [
    ...ENDING_JOBS.flatMap((job) => matter(job, failingJob(world, job), outages)),
    ...matter('archive', failingArchive(world), [...spansOfVault(world), ...wrongClocks(world)]),
    ...matter('vault', vaultAway(world), whileGone(world)),
    // Also while nothing can be written, which no job can put on record.
    ...matter('objective_rpo', brokenPromise(world), [...whileGone(world), ...unasked]),
  ];
}

/** An end that cannot be put on record shows nowhere. */
function spansOfVault(world: World): Span[] {
  const { faults } = world;
  return [...whileGone(world), ...faults.outages.filter(({ place }) => place === 'vault')];
}

function isAbout(key: string, what: string): boolean {
  return new RegExp(`(^|[^a-z])${what}([^a-z_]|$)`).test(key);
}

/** Whoever dies before it is on record that something was sent has it sent again, under the same id. */
function firstOfEach(told: readonly Told[]): Told[] {
  return told.filter(({ id }, i) => told.findIndex((one) => one.id === id) === i);
}

function compare(world: World, matter: Matter): Problem[] {
  const { what, told, spans, doubtful, against } = matter;
  const all = joined([...spans, ...doubtful]);
  return [
    ...outOfOrder(world, what, told),
    ...tooOften(world, what, told),
    ...spans.flatMap((span) => [...untold(world, matter, span), ...notRepeated(world, matter, span)]),
    ...all.flatMap((span) => notOver(world, matter, span, all)),
    ...told.flatMap(({ state, atMs }) => {
      const isBad = all.some(({ fromMs, untilMs }) => fromMs <= atMs && atMs <= untilMs + OVER_SOON_MS);
      if (state === 'resolved' || isBad || all.some(({ untilMs }) => wasLate(against, untilMs, atMs)))
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

function outOfOrder(world: World, what: string, told: readonly Told[]): Problem[] {
  return told.flatMap(({ state, atMs }, i) => {
    const before = told[i - 1];
    const wasOpen = before !== undefined && before.state !== 'resolved';
    if (wasOpen === (state !== 'raised')) return [];
    if (wasOpen && isToldAnew(world, before.atMs, atMs)) return [];
    if (before !== undefined && isForgotten(world, before.atMs)) return [];
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

function openAt({ told }: Matter, atMs: number): boolean {
  const last = told.findLast((one) => one.atMs <= atMs);
  return last !== undefined && last.state !== 'resolved';
}

function untold(world: World, matter: Matter, { fromMs, untilMs }: Span): Problem[] {
  const seenMs = calmFrom(matter.against, fromMs, SOON_MS, Math.min(untilMs, world.days * DAY));
  if (seenMs === null || openAt(matter, seenMs + SOON_MS)) return [];
  return [{ atMs: seenMs, text: `${matter.what}: nobody was told that it is bad` }];
}

function notOver(world: World, matter: Matter, { untilMs }: Span, all: readonly Span[]): Problem[] {
  const overMs = calmFrom(matter.against, untilMs, OVER_SOON_MS, world.days * DAY);
  if (overMs === null || !openAt(matter, overMs + OVER_SOON_MS)) return [];
  if (all.some(({ fromMs }) => fromMs >= untilMs && fromMs <= overMs + OVER_SOON_MS)) return [];
  if (isForgotten(world, matter.told.findLast((one) => one.atMs <= overMs + OVER_SOON_MS)!.atMs)) return [];
  return [{ atMs: overMs, text: `${matter.what}: nobody was told that it is over` }];
}

/** It was told while it could not be put on record, and whoever told it was gone before it could. */
function isForgotten({ faults, lives }: World, toldMs: number): boolean {
  const outages = joined(faults.outages.filter(({ place }) => place === 'vault'));
  const outage = outages.find(({ fromMs, untilMs }) => fromMs <= toldMs && toldMs <= untilMs + SOON_MS);
  if (outage === undefined) return false;
  return lives.some(
    ({ untilMs }) => untilMs !== null && untilMs >= toldMs && untilMs <= outage.untilMs + SOON_MS,
  );
}

function notRepeated(
  { faults, days }: World,
  { what, told, against }: Matter,
  { fromMs, untilMs }: Span,
): Problem[] {
  if (!CRITICAL.includes(what)) return [];
  const problems: Problem[] = [];
  for (let atMs = fromMs; ; atMs += HOUR) {
    const calmMs = calmFrom(against, atMs, SOON_MS, Math.min(untilMs, days * DAY));
    if (calmMs === null) return problems;
    const last = told.findLast((one) => one.atMs <= calmMs + SOON_MS);
    const isSet = faults.steps.some((step) => Math.abs(step.atMs - calmMs) < 30 * HOUR);
    if (last !== undefined && !isSet && calmMs + SOON_MS - last.atMs > REPEAT_MS + 40 * MINUTE)
      problems.push({ atMs: calmMs, text: `${what}: it goes on, and nobody was told for a day` });
    atMs = Math.max(atMs, calmMs);
  }
}
