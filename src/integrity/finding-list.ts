import type { Finding, SweepPlace } from '../core/finding.ts';

/** What was found, as much of it as somebody can look at; the rest is counted. */
export interface FindingList {
  readonly add: (finding: Finding) => void;
  readonly findings: readonly Finding[];
  /** How many are not in the list. */
  readonly omitted: () => number;
  /** Where something was found, each place once, those that are not in the list too. */
  readonly places: () => readonly SweepPlace[];
}

const MOST_FINDINGS = 1000;
const MOST_PLACES = 10_000;

export function makeFindingList(): FindingList {
  const findings: Finding[] = [];
  const places = new Map<string, SweepPlace>();
  let omitted = 0;
  return {
    add: (finding) => {
      const { place } = finding;
      if (place !== null && places.size < MOST_PLACES) places.set(`${place.kind} ${place.number}`, place);
      if (findings.length < MOST_FINDINGS) findings.push(finding);
      else omitted += 1;
    },
    findings,
    omitted: () => omitted,
    places: () => [...places.values()],
  };
}
