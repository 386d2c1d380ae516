import { formatAge } from './duration.ts';
import type { Decision } from './retention-facts.ts';
import type { UnitFacts } from './verified-memory.ts';

export interface ShareRule {
  /** Of all bytes, more than 0 and up to 1; null: all. */
  readonly share: number | null;
  /** What was verified within so long, and was sound, is left out; null: nothing is. */
  readonly notSinceMs: number | null;
  readonly nowMs: number;
}

export interface SharePlan {
  /** `kept`: it is verified now. */
  readonly units: readonly Decision<UnitFacts>[];
  readonly takenBytes: number;
  readonly totalBytes: number;
}

/** What is taken or left together. */
interface Lot {
  readonly units: readonly UnitFacts[];
  readonly sizeBytes: number;
}

/**
 * What a run verifies: the oldest-verified first, what never was before all others, until the share is reached; at least one thing.
 * A backup that is no larger than the share is taken whole, so that the upper rungs of the ladder are reached too.
 */
export function planShare(units: readonly UnitFacts[], rule: ShareRule): SharePlan {
  const totalBytes = sizeOf(units);
  const fresh = new Map(
    units.flatMap((unit) => {
      const reason = whyFresh(unit, rule);
      return reason === null ? [] : [[unit, reason] as const];
    }),
  );
  const due = units.filter((unit) => !fresh.has(unit));
  const budget = rule.share === null ? Number.POSITIVE_INFINITY : rule.share * totalBytes;
  const taken = new Set<UnitFacts>();
  let takenBytes = 0;
  for (const lot of makeLots(due, budget)) {
    if (taken.size > 0 && takenBytes >= budget) break;
    for (const unit of lot.units) taken.add(unit);
    takenBytes += lot.sizeBytes;
  }
  const decisions = units.map((unit): Decision<UnitFacts> => {
    const left = fresh.get(unit) ?? (taken.has(unit) ? null : 'the share is reached without it');
    return { item: unit, kept: left === null, reasons: [left ?? whyTaken(unit, rule)] };
  });
  return { units: decisions, takenBytes, totalBytes };
}

function whyFresh({ verifiedAtMs, isSound }: UnitFacts, { notSinceMs, nowMs }: ShareRule): string | null {
  if (notSinceMs === null || verifiedAtMs === null || isSound === false) return null;
  return nowMs - verifiedAtMs < notSinceMs ? `verified ${formatAge(nowMs - verifiedAtMs)} ago` : null;
}

function whyTaken({ verifiedAtMs, isSound }: UnitFacts, { nowMs }: ShareRule): string {
  if (verifiedAtMs === null) return 'never verified';
  const found = isSound === false ? ', and was unsound' : '';
  return `verified ${formatAge(nowMs - verifiedAtMs)} ago${found}`;
}

/** In the order in which they are taken. */
function makeLots(due: readonly UnitFacts[], budget: number): Lot[] {
  const lots = [...Map.groupBy(due, ({ backup, name }) => backup ?? name).values()].flatMap(
    (group): Lot[] => {
      const sizeBytes = sizeOf(group);
      if (sizeBytes <= budget) return [{ units: group, sizeBytes }];
      return group.map((unit) => ({ units: [unit], sizeBytes: unit.sizeBytes }));
    },
  );
  const keyed = lots.map((lot) => ({ lot, first: lot.units.toSorted(byAge)[0]! }));
  return keyed.sort((a, b) => byAge(a.first, b.first)).map(({ lot }) => lot);
}

/** What was never verified comes in the order in which it was written: so none of it waits for ever behind what is new. */
function byAge(a: UnitFacts, b: UnitFacts): number {
  if ((a.verifiedAtMs === null) !== (b.verifiedAtMs === null)) return a.verifiedAtMs === null ? -1 : 1;
  const times = (a.verifiedAtMs ?? a.writtenAtMs) - (b.verifiedAtMs ?? b.writtenAtMs);
  if (times !== 0) return times;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function sizeOf(units: readonly UnitFacts[]): number {
  return units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
