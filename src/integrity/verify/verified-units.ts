import { type Problem, RUNG_OF } from '../../core/report.ts';
import { RUNGS, type Rung } from '../../core/rungs.ts';
import type { VerifiedUnit } from '../../core/verified.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import type { LogFile } from '../../format/log-catalog.ts';
import type { CheckedFile } from './backup.ts';
import type { VerifiedEntry } from './chains.ts';
import { climb, rungsOf, type Untried } from './ladder.ts';

/** What is to be remembered of what was verified. Nothing that says what a live store had: that is no property of a backup. */

const ALONE: Untried = {
  structure: 'seen over all files',
  order: 'seen over all files',
  counts: 'seen over all files',
  completeness: 'seen over all files',
};

export function unitOfFile(
  { folder, manifest }: CatalogEntry,
  { file, problems, isOpen }: CheckedFile,
  verifiedAt: string,
): VerifiedUnit {
  const untried = {
    ...ALONE,
    ...(isOpen ? {} : SHUT),
    ...(manifest.sealed && isOpen ? {} : { seal: 'none' }),
  };
  return { name: folder + file.name, digest: file.sha256, verifiedAt, ...ladderOf(problems, untried) };
}

const SHUT: Untried = { seal: 'no key', decode: 'no key', order: 'no key', counts: 'no key' };

/** Null where files were checked alone and all that was found is said of them. */
export function unitOfBackup(
  { entry: { folder, manifest }, verification }: VerifiedEntry,
  verifiedAt: string,
): VerifiedUnit | null {
  const { isWhole, rungs, problems } = verification;
  const place = { name: folder, digest: manifest.checksum, verifiedAt };
  if (isWhole) {
    const named = (state: 'passed' | 'failed'): Rung[] =>
      rungs.filter((rung) => rung.state === state).map(({ name }) => name);
    return { ...place, passed: named('passed'), failed: withoutStore(named('failed')) };
  }
  const files = new Set(manifest.files.flatMap(({ name, index }) => [name, index.name]));
  const others = problems.filter(({ file }) => file === null || !files.has(file));
  const failed = withoutStore(RUNGS.filter((rung) => others.some(({ code }) => RUNG_OF[code] === rung)));
  return failed.length === 0 ? null : { ...place, passed: [], failed };
}

function withoutStore(rungs: readonly Rung[]): Rung[] {
  return rungs.filter((rung) => rung !== 'completeness');
}

export function unitOfLogFile(
  { name }: LogFile,
  problems: readonly Problem[],
  isOpen: boolean,
  verifiedAt: string,
): VerifiedUnit {
  const untried: Untried = { structure: 'replayed', completeness: 'no store', seal: 'with the log' };
  return {
    ...{ name, digest: null, verifiedAt },
    ...ladderOf(problems, isOpen ? untried : { ...untried, ...SHUT }),
  };
}

function ladderOf(problems: readonly Problem[], untried: Untried): Pick<VerifiedUnit, 'passed' | 'failed'> {
  const rungs = climb(rungsOf(problems), untried);
  const named = (wanted: string): Rung[] =>
    rungs.filter(({ state }) => state === wanted).map(({ name }) => name);
  return { passed: named('passed'), failed: named('failed') };
}
