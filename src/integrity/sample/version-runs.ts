import type { StreamFacts } from '../../core/stream-table.ts';

/** First and last of versions that follow one another; runs ascend and do not touch. */
export type VersionRun = readonly [first: number, last: number];

export function runsOf({
  firstVersion,
  lastVersion,
  gaps,
}: Pick<StreamFacts, 'firstVersion' | 'lastVersion' | 'gaps'>): VersionRun[] {
  const runs: VersionRun[] = [];
  let first = firstVersion;
  for (const [gapFirst, gapLast] of gaps) {
    runs.push([first, gapFirst - 1]);
    first = gapLast + 1;
  }
  runs.push([first, lastVersion]);
  return runs;
}

/** What of `runs` is in none of `others`. */
export function withoutRuns(runs: readonly VersionRun[], others: readonly VersionRun[]): VersionRun[] {
  const left: VersionRun[] = [];
  let next = 0;
  for (const [runFirst, runLast] of runs) {
    let first = runFirst;
    while (next < others.length && others[next]![1] < first) next += 1;
    for (let i = next; i < others.length && others[i]![0] <= runLast; i += 1) {
      if (others[i]![0] > first) left.push([first, others[i]![0] - 1]);
      first = others[i]![1] + 1;
    }
    if (first <= runLast) left.push([first, runLast]);
  }
  return left;
}

/** The part of the runs up to a version, and the part behind it. */
export function splitRuns(
  runs: readonly VersionRun[],
  version: number,
): { upTo: VersionRun[]; behind: VersionRun[] } {
  const upTo: VersionRun[] = [];
  const behind: VersionRun[] = [];
  for (const [first, last] of runs) {
    if (first <= version) upTo.push([first, Math.min(last, version)]);
    if (last > version) behind.push([Math.max(first, version + 1), last]);
  }
  return { upTo, behind };
}

export function countVersions(runs: readonly VersionRun[]): number {
  return runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
